#include <fcntl.h>

#include "base/log.h"
#include "base/text.h"
#include "bus-left.h"
#include "update-watch.h"

static int on_status_retry(sd_event_source *source, uint64_t usec, void *userdata);

static void watch_note(UpdateWatch *w, const UpdateReport *report)
{
        w->said = report->status;
        if (text_set(&w->said_version, report->new_version) < 0)
                w->said = _UPDATE_STATUS_INVALID; /* out of memory: its next answer is news */
}

static void watch_take(UpdateWatch *w, const UpdateReport *report)
{
        backoff_reset(&w->status_backoff);
        backoff_reset(&w->bus_backoff);
        w->on_report(report, w->userdata);
}

/* It is as if it had been watched all the time when it says again what it said before. */
static bool is_old_news(const UpdateWatch *w, const UpdateReport *report)
{
        return w->is_resumed && w->said >= 0 && report->status == w->said
               && streq_null(report->new_version, w->said_version);
}

static int watch_answer(UpdateWatch *w, sd_bus_message *reply)
{
        _cleanup_(update_report_done) UpdateReport report = {};
        bool old;
        int r;

        r = update_report_read(reply, &report);
        if (r >= 0)
                r = text_set(&w->owner, sd_bus_message_get_sender(reply));
        if (r < 0)
                return r;

        old = is_old_news(w, &report);
        w->is_resumed = false;
        watch_note(w, &report);
        watch_take(w, old ? NULL : &report);
        return 0;
}

static int on_status(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        const sd_bus_error *failure = sd_bus_message_get_error(reply);
        UpdateWatch *w = userdata;
        int r;

        w->status_call = sd_bus_slot_unref(w->status_call);
        r = failure ? -sd_bus_message_get_errno(reply) : watch_answer(w, reply);
        if (r >= 0)
                return 0;

        log_debug("GetStatus of the update daemon: %s", bus_error_text(failure, r));
        w->on_report(NULL, w->userdata); /* what is known stays known */
        return backoff_arm(&w->status_backoff, w->event, &w->status_retry, on_status_retry, w);
}

static int watch_ask(UpdateWatch *w)
{
        if (w->status_call)
                return 0;
        return update_client_get_status_async(w->bus, &w->status_call, on_status, w);
}

static int on_status_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        return watch_ask(userdata);
}

static void watch_believe(UpdateWatch *w, const UpdateReport *report)
{
        if (streq_null(sd_bus_message_get_sender(w->signal), w->owner))
                watch_note(w, report);
        watch_take(w, report);
}

/*
 * Any user can send a signal with that name. Root's is believed (locksmithctl send-need-reboot is
 * one); anybody else's only makes us ask the update daemon itself.
 */
static int on_sender_known(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        _cleanup_(update_report_done) UpdateReport report = {};
        UpdateWatch *w = userdata;
        uint32_t uid;
        int r;

        w->sender_call = sd_bus_slot_unref(w->sender_call);
        if (!sd_bus_message_is_method_error(reply, NULL)
            && sd_bus_message_read(reply, "u", &uid) > 0 && (uid == 0 || uid == geteuid())) {
                r = update_report_read(w->signal, &report);
                if (r >= 0)
                        watch_believe(w, &report);
                else
                        w->on_report(NULL, w->userdata);
        } else {
                w->said = _UPDATE_STATUS_INVALID; /* whatever it answers is news */
                r = watch_ask(w);
        }

        w->signal = sd_bus_message_unref(w->signal);
        return r == -EBADMSG ? 0 : r; /* a signal of another form is nobody's */
}

static int on_status_signal(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        UpdateWatch *w = userdata;
        int r;

        w->sender_call = sd_bus_slot_unref(w->sender_call); /* the younger signal counts */
        sd_bus_message_unref(w->signal);
        w->signal = sd_bus_message_ref(message);

        r = sd_bus_call_method_async(w->bus, &w->sender_call, "org.freedesktop.DBus",
                                     "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                     "GetConnectionUnixUser", on_sender_known, w, "s",
                                     sd_bus_message_get_sender(message));
        return r < 0 ? r : 0;
}

/* The update daemon came, or came back: its state may be another one. */
static int on_owner_changed(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        const char *name, *old, *new;
        UpdateWatch *w = userdata;
        int r;

        r = sd_bus_message_read(message, "sss", &name, &old, &new);
        if (r < 0)
                return 0;
        r = text_set(&w->owner, is_empty(new) ? NULL : new);
        if (r < 0 || !w->owner)
                return r;

        w->said = _UPDATE_STATUS_INVALID;
        return watch_ask(w);
}

static void watch_close(UpdateWatch *w)
{
        sd_bus_slot **slots[] = { &w->lost_match, &w->status_match, &w->owner_match,
                                  &w->status_call, &w->sender_call };

        for (size_t i = 0; i < ELEMENTSOF(slots); i++)
                *slots[i] = sd_bus_slot_unref(*slots[i]);
        w->signal = sd_bus_message_unref(w->signal);
        w->status_retry = sd_event_source_disable_unref(w->status_retry);
        w->bus_retry = sd_event_source_disable_unref(w->bus_retry);
        text_clear(&w->owner);
        w->bus = sd_bus_flush_close_unref(w->bus);
}

static int on_bus_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        UpdateWatch *w = userdata;
        int r;

        r = update_watch_start(w);
        if (r >= 0)
                return 0;

        log_debug("connecting to the system bus: %s", strerror(-r));
        watch_close(w);
        return backoff_arm(&w->bus_backoff, w->event, &w->bus_retry, on_bus_retry, w);
}

static int watch_lose(UpdateWatch *w)
{
        w->on_lost(w->userdata);
        watch_close(w);
        w->said = _UPDATE_STATUS_INVALID;
        return backoff_arm(&w->bus_backoff, w->event, &w->bus_retry, on_bus_retry, w);
}

static int on_bus_gone(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        return watch_lose(userdata);
}

/* The bus is at work below, so it is let go of a moment later. */
static int on_lost(_unused_ sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        UpdateWatch *w = userdata;
        int r;

        log_warning("the connection to the system bus is lost: looking for it again");
        w->bus_retry = sd_event_source_disable_unref(w->bus_retry);
        r = sd_event_add_time_relative(w->event, &w->bus_retry, CLOCK_MONOTONIC, 0, 0, on_bus_gone,
                                       w);
        return r < 0 ? sd_event_exit(w->event, log_error_errno(r, "setting a timer: %m")) : 0;
}

static int watch_match(UpdateWatch *w)
{
        int r;

        r = sd_bus_match_signal(w->bus, &w->lost_match, NULL, "/org/freedesktop/DBus/Local",
                                "org.freedesktop.DBus.Local", "Disconnected", on_lost, w);

        /* Watch first, ask then: nothing is missed in between. */
        if (r >= 0)
                r = update_client_watch(w->bus, &w->status_match, on_status_signal, w);
        if (r >= 0)
                r = sd_bus_add_match(
                        w->bus, &w->owner_match,
                        "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
                        "arg0='" UPDATE_BUS_NAME "'",
                        on_owner_changed, w);
        return r < 0 ? r : 0;
}

int update_watch_start(UpdateWatch *w)
{
        int r;

        w->status_backoff.first = w->bus_backoff.first = UPDATE_WATCH_RETRY_FIRST;
        w->status_backoff.max = w->bus_backoff.max = UPDATE_WATCH_RETRY_MAX;
        backoff_reset(&w->status_backoff);
        r = bus_open(NULL, &w->bus);
        if (r >= 0)
                r = sd_bus_attach_event(w->bus, w->event, w->priority);
        if (r >= 0)
                r = watch_match(w);
        if (r >= 0)
                r = watch_ask(w);
        return r < 0 ? r : 0;
}

/* The matches of the new connection are in force already, so nothing is missed; what came twice says the same twice. */
static int on_left(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
        return sd_bus_message_is_signal(message, UPDATE_BUS_IFACE, "StatusUpdate") > 0
                       ? on_status_signal(message, userdata, error)
                       : 0;
}

static int watch_take_over(UpdateWatch *w, Handover *h)
{
        _cleanup_close_ int left = TAKE_FD(h->bus);
        int r;

        w->is_resumed = true;
        w->said = h->said ? update_status_from_string(h->said) : _UPDATE_STATUS_INVALID;
        r = text_set(&w->said_version, h->said_version);
        if (r >= 0)
                r = update_watch_start(w);
        if (r < 0 || left < 0)
                return r;

        r = bus_left_read(left, on_left, w);
        if (r < 0)
                log_warning_errno(r,
                                  "reading what came while locksmithd started its other stage: %m");
        return 0;
}

int update_watch_resume(UpdateWatch *w, Handover *h)
{
        int r;

        r = watch_take_over(w, h);
        if (r >= 0)
                return 0;

        log_warning_errno(r, "connecting to the system bus: %m: looking for it again");
        return watch_lose(w);
}

bool update_watch_may_leave(const UpdateWatch *w)
{
        return w->bus && !w->sender_call;
}

int update_watch_leave(UpdateWatch *w, Handover *h)
{
        int fd, r;

        r = text_set(&h->said, w->said >= 0 ? update_status_to_string(w->said) : NULL);
        if (r >= 0)
                r = text_set(&h->said_version, w->said_version);
        if (r < 0)
                return r;

        /* Without it no more is missed than what comes in this very moment. */
        fd = sd_bus_get_fd(w->bus);
        h->bus = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        return 0;
}

void update_watch_done(UpdateWatch *w)
{
        watch_close(w);
        text_clear(&w->said_version);
}
