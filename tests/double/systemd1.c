/*
 * org.freedesktop.systemd1 as far as cloud-config asks it, on a private bus: Subscribe, Reload, StopUnit, RestartUnit
 * and the signal JobRemoved. Each call is printed as a line. Arguments "UNIT=BEHAVIOUR" make a unit's jobs end other
 * than "done": failed, early (the signal comes before the answer), never, missing, masked.
 */
#include <stdio.h>

#include "base/bus.h"
#include "base/log.h"
#include "base/text.h"

#define SYSTEMD_PATH      "/org/freedesktop/systemd1"
#define SYSTEMD_INTERFACE "org.freedesktop.systemd1.Manager"

typedef struct Systemd {
        char **behaviours; /* "UNIT=BEHAVIOUR", ended by NULL */
        bool subscribed;
        unsigned n_jobs;
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

static const sd_bus_vtable systemd_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Subscribe", "", "", method_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Reload", "", "", method_reload, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("StopUnit", "ss", "o", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("RestartUnit", "ss", "o", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
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
        if (r >= 0)
                r = sd_bus_request_name(bus, "org.freedesktop.systemd1", 0);
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
