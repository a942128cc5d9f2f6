#include <fcntl.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "trial-target.h"

#define SYSTEMD_NAME  "org.freedesktop.systemd1"
#define SYSTEMD_PATH  "/org/freedesktop/systemd1"
#define SYSTEMD_IFACE "org.freedesktop.systemd1.Manager"
#define SYSTEMD_UNITS SYSTEMD_PATH "/unit"

struct TrialTarget {
        TrialTargetRequest request;
        char *unit;
        char *state; /* as systemd told it last: "inactive"; NULL: it has not answered */
        sd_bus_slot *subscription, *match, *call;
        sd_event_source *retry, *deadline;
};

bool trial_target_has_systemd(const char *root)
{
        int fd = root_open(root, "/run/systemd/system", O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);

        (void)close_fd(fd);
        return fd >= 0;
}

TrialTarget *trial_target_free(TrialTarget *t)
{
        if (!t)
                return NULL;

        sd_bus_slot_unref(t->subscription);
        sd_bus_slot_unref(t->match);
        sd_bus_slot_unref(t->call);
        sd_event_source_disable_unref(t->retry);
        sd_event_source_disable_unref(t->deadline);
        free(t->unit);
        free(t->state);
        free(t);
        return NULL;
}

/* Nothing is touched after the callback: it may free us. */
static void target_end(TrialTarget *t, const char *why)
{
        t->subscription = sd_bus_slot_unref(t->subscription);
        t->match = sd_bus_slot_unref(t->match);
        t->call = sd_bus_slot_unref(t->call);
        t->retry = sd_event_source_disable_unref(t->retry);
        t->deadline = sd_event_source_disable_unref(t->deadline);
        t->request.on_done(why, t->request.userdata);
}

/* Takes the sentence over. */
static void target_fail(TrialTarget *t, char *sentence)
{
        _cleanup_free_ char *why = sentence;

        target_end(t, why ? why : "memory is short");
}

static int target_begin(TrialTarget *t);

static int on_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        return target_begin(userdata);
}

/* It may not be on the bus yet: we start as early as the bus itself. */
static int target_begin_later(TrialTarget *t)
{
        t->retry = sd_event_source_disable_unref(t->retry);
        return sd_event_add_time_relative(t->request.event, &t->retry, CLOCK_BOOTTIME,
                                          TRIAL_TARGET_RETRY, 0, on_retry, t);
}

static int target_take(TrialTarget *t, sd_bus_message *reply)
{
        const char *load, *active;
        char *why = NULL;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");
        if (r >= 0)
                r = sd_bus_message_read(reply, "(ssssssouso)", NULL, NULL, &load, &active, NULL,
                                        NULL, NULL, NULL, NULL, NULL);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        r = text_set(&t->state, active);
        if (r < 0)
                return r;

        if (streq(active, "active"))
                target_end(t, NULL);
        else if (!streq(load, "loaded")) {
                (void)text_format(&why,
                                  "systemd can not start %s: it is %s; correct HEALTH_TARGET in "
                                  "update.conf",
                                  t->unit, load);
                target_fail(t, why);
        }
        return 0;
}

static int on_answer(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        const sd_bus_error *failure = sd_bus_message_get_error(reply);
        TrialTarget *t = userdata;
        int r;

        t->call = sd_bus_slot_unref(t->call);
        r = failure ? -sd_bus_message_get_errno(reply) : target_take(t, reply);
        if (r >= 0)
                return 0;

        log_debug("asking systemd for %s: %s", t->unit, bus_error_text(failure, r));
        return target_begin_later(t);
}

/* One call tells whether there is such a unit, and how it is. */
static int target_ask(TrialTarget *t)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        const char *names[] = { t->unit, NULL };
        int r;

        t->call = sd_bus_slot_unref(t->call); /* an answer under way is old already */
        r = sd_bus_message_new_method_call(t->request.bus, &call, SYSTEMD_NAME, SYSTEMD_PATH,
                                           SYSTEMD_IFACE, "ListUnitsByNames");
        if (r >= 0)
                r = sd_bus_message_append_strv(call, (char **)names);
        if (r >= 0)
                r = sd_bus_call_async(t->request.bus, &t->call, call, on_answer, t, 0);
        return r < 0 ? r : 0;
}

static int on_changed(_unused_ sd_bus_message *message, void *userdata,
                      _unused_ sd_bus_error *error)
{
        return target_ask(userdata);
}

static int on_subscribed(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        const sd_bus_error *failure = sd_bus_message_get_error(reply);
        TrialTarget *t = userdata;

        t->subscription = sd_bus_slot_unref(t->subscription);
        if (!failure || sd_bus_error_has_name(failure, SYSTEMD_NAME ".AlreadySubscribed"))
                return target_ask(t);

        log_debug("subscribing to systemd: %s",
                  bus_error_text(failure, -sd_bus_message_get_errno(reply)));
        return target_begin_later(t);
}

/* Without a subscriber systemd sends no signals. Watch first, ask then: nothing is missed in between. */
static int target_begin(TrialTarget *t)
{
        int r;

        t->subscription = sd_bus_slot_unref(t->subscription);
        r = sd_bus_call_method_async(t->request.bus, &t->subscription, SYSTEMD_NAME, SYSTEMD_PATH,
                                     SYSTEMD_IFACE, "Subscribe", on_subscribed, t, NULL);
        return r < 0 ? r : 0;
}

static int on_deadline(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        TrialTarget *t = userdata;
        char span[TIMESPAN_MAX];
        char *why = NULL;

        (void)text_format(&why, "%s was not reached within %s: %s", t->unit,
                          timespan_format(t->request.time_limit, span),
                          t->state ? t->state : "systemd does not answer");
        target_fail(t, why);
        return 0;
}

static int target_watch(TrialTarget *t)
{
        _cleanup_free_ char *path = NULL;
        int r;

        r = sd_bus_path_encode(SYSTEMD_UNITS, t->unit, &path);
        if (r >= 0)
                r = sd_bus_match_signal_async(t->request.bus, &t->match, SYSTEMD_NAME, path,
                                              "org.freedesktop.DBus.Properties",
                                              "PropertiesChanged", on_changed, NULL, t);
        if (r >= 0)
                r = sd_event_add_time_relative(t->request.event, &t->deadline, CLOCK_BOOTTIME,
                                               t->request.time_limit, 0, on_deadline, t);
        return r < 0 ? r : target_begin(t);
}

int trial_target_new(const TrialTargetRequest *request, TrialTarget **ret)
{
        _cleanup_(trial_target_free_p) TrialTarget *t = calloc(1, sizeof(TrialTarget));
        int r;

        if (!t)
                return -ENOMEM;

        t->request = *request;
        t->request.unit = NULL; /* borrowed no longer */
        r = text_set(&t->unit, request->unit);
        if (r >= 0)
                r = target_watch(t);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(t);
        return 0;
}
