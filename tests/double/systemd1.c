/*
 * org.freedesktop.systemd1 as far as cloud-config and updated ask it, on a private bus: Subscribe, Reload, StopUnit,
 * RestartUnit and the signal JobRemoved; ListUnitsByNames and the signal PropertiesChanged of units. Each call is
 * printed as a line. Arguments "UNIT=BEHAVIOUR" make a unit's jobs end other than "done": failed, early (the signal
 * comes before the answer), never, missing, masked.
 *
 * Lines on standard input: "active UNIT", "silent UNIT" (the same, without a signal). Until then all units are inactive.
 */
#include <stdio.h>

#include "base/bus.h"
#include "base/log.h"
#include "base/text.h"

#define LINE_MAX_BYTES 256

#define SYSTEMD_PATH      "/org/freedesktop/systemd1"
#define SYSTEMD_INTERFACE "org.freedesktop.systemd1.Manager"

typedef struct Systemd {
        char **behaviours; /* "UNIT=BEHAVIOUR", ended by NULL */
        bool subscribed;
        unsigned n_jobs;
        sd_bus *bus;
        char active[LINE_MAX_BYTES]; /* the one unit that is; "": none */
        char line[LINE_MAX_BYTES];
        size_t n_line;
} Systemd;

static const char *behaviour_of(const Systemd *systemd, const char *unit)
{
        for (char **b = systemd->behaviours; *b; b++) {
                const char *rest = after_prefix(*b, unit);

                if (rest && *rest == '=')
                        return rest + 1;
        }

        return "done";
}

static void call_print(sd_bus_message *message, const char *unit, const char *mode)
{
        printf("%s%s%s%s%s\n", sd_bus_message_get_member(message), *unit ? " " : "", unit,
               *mode ? " " : "", mode);
        fflush(stdout);
}

static int method_subscribe(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        Systemd *systemd = userdata;

        systemd->subscribed = true;
        call_print(message, "", "");
        return sd_bus_reply_method_return(message, NULL);
}

static int method_reload(sd_bus_message *message, _unused_ void *userdata,
                         _unused_ sd_bus_error *error)
{
        call_print(message, "", "");
        return sd_bus_reply_method_return(message, NULL);
}

static int job_removed(const Systemd *systemd, sd_bus_message *message, const char *path,
                       const char *unit, const char *result)
{
        if (!systemd->subscribed)
                return 0;
        return sd_bus_emit_signal(sd_bus_message_get_bus(message), SYSTEMD_PATH, SYSTEMD_INTERFACE,
                                  "JobRemoved", "uoss", systemd->n_jobs, path, unit, result);
}

/* Starts a job, which ends at once as the unit's behaviour says. */
static int method_job(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
        const char *unit, *mode, *behaviour;
        _cleanup_free_ char *path = NULL;
        Systemd *systemd = userdata;
        int r;

        r = sd_bus_message_read(message, "ss", &unit, &mode);
        if (r < 0)
                return r;

        call_print(message, unit, mode);
        behaviour = behaviour_of(systemd, unit);
        if (streq(behaviour, "missing"))
                return sd_bus_error_setf(error, "org.freedesktop.systemd1.NoSuchUnit",
                                         "Unit %s not found.", unit);
        if (streq(behaviour, "masked"))
                return sd_bus_error_setf(error, "org.freedesktop.systemd1.UnitMasked",
                                         "Unit %s is masked.", unit);
        if (text_format(&path, SYSTEMD_PATH "/job/%u", ++systemd->n_jobs) < 0)
                return -ENOMEM;

        if (streq(behaviour, "early")) {
                r = job_removed(systemd, message, path, unit, "done");
                return r < 0 ? r : sd_bus_reply_method_return(message, "o", path);
        }
        r = sd_bus_reply_method_return(message, "o", path);
        if (r < 0 || streq(behaviour, "never"))
                return r;
        return job_removed(systemd, message, path, unit, behaviour);
}

static int method_list_units(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        const Systemd *systemd = userdata;
        const char *unit, *behaviour;
        int r;

        r = sd_bus_message_enter_container(message, 'a', "s");
        if (r >= 0)
                r = sd_bus_message_read(message, "s", &unit);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;

        call_print(message, unit, "");
        behaviour = behaviour_of(systemd, unit);
        return sd_bus_reply_method_return(message, "a(ssssssouso)", 1, unit, "a unit",
                                          streq(behaviour, "missing")  ? "not-found"
                                          : streq(behaviour, "masked") ? "masked"
                                                                       : "loaded",
                                          streq(systemd->active, unit) ? "active" : "inactive", "",
                                          "", SYSTEMD_PATH "/unit/x", 0U, "", "/");
}

static int line_obey(Systemd *systemd)
{
        const char *unit = after_prefix(systemd->line, "active "),
                   *silent = after_prefix(systemd->line, "silent ");
        _cleanup_free_ char *path = NULL;
        int r;

        if (!unit && !silent)
                return -EINVAL;
        (void)snprintf(systemd->active, sizeof(systemd->active), "%s",
                       unit ? unit : silent); /* a test's word is short */
        if (silent || !systemd->subscribed)
                return 0;

        r = sd_bus_path_encode(SYSTEMD_PATH "/unit", unit, &path);
        if (r < 0)
                return r;
        return sd_bus_emit_signal(systemd->bus, path, "org.freedesktop.DBus.Properties",
                                  "PropertiesChanged", "sa{sv}as", "org.freedesktop.systemd1.Unit",
                                  1, "ActiveState", "s", "active", 0);
}

static int on_input(sd_event_source *source, int fd, _unused_ uint32_t revents, void *userdata)
{
        Systemd *systemd = userdata;
        char c;

        if (read(fd, &c, 1) <= 0)
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (c != '\n') {
                if (systemd->n_line + 1 < sizeof(systemd->line))
                        systemd->line[systemd->n_line++] = c;
                return 0;
        }

        systemd->line[systemd->n_line] = 0;
        systemd->n_line = 0;
        return line_obey(systemd);
}

static const sd_bus_vtable systemd_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Subscribe", "", "", method_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Reload", "", "", method_reload, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("StopUnit", "ss", "o", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("RestartUnit", "ss", "o", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListUnitsByNames", "as", "a(ssssssouso)", method_list_units,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL("JobRemoved", "uoss", 0),
        SD_BUS_VTABLE_END,
};

static int systemd_run(Systemd *systemd)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = event_new(&event);
        if (r >= 0)
                r = bus_open(event, &bus);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, SYSTEMD_PATH, SYSTEMD_INTERFACE,
                                             systemd_vtable, systemd);
        systemd->bus = bus;
        if (r >= 0)
                r = sd_bus_request_name(bus, "org.freedesktop.systemd1", 0);
        if (r >= 0)
                r = sd_event_add_io(event, NULL, STDIN_FILENO, EPOLLIN, on_input, systemd);
        if (r == -EPERM)
                r = 0; /* a file or /dev/null: nobody will say anything */
        if (r < 0)
                return r;

        printf("ready\n");
        fflush(stdout);
        return sd_event_loop(event);
}

int main(_unused_ int argc, char **argv)
{
        Systemd systemd = { .behaviours = argv + 1 };
        int r;

        log_open("systemd1");
        r = systemd_run(&systemd);
        if (r < 0)
                log_error_errno(r, "playing systemd: %m");
        return r < 0;
}
