/*
 * The daemon on the system bus: what the update daemon says, whether the running slot is good, and
 * the reboot.
 */
#include <unistd.h>

#include "base/log.h"
#include "base/reboot.h"
#include "base/text.h"
#include "daemon-internal.h"
#include "updated/client.h"

static int on_status_retry(sd_event_source *source, uint64_t usec, void *userdata);

static void daemon_be_due(Daemon *d)
{
        d->facts.etcd_asked = false; /* an old answer does not count for a new reboot */
        d->metrics.due_since = now_realtime() / USEC_PER_SEC;
        text_clear(&d->kept_back);
        daemon_tell(d, LOCK_EVENT_DUE, NULL, "version %s waits for a reboot",
                    is_empty(d->to_version) ? "?" : d->to_version);
}

static void daemon_take_report(Daemon *d, const UpdateReport *report)
{
        bool due = report->status == UPDATE_STATUS_UPDATED_NEED_REBOOT;

        backoff_reset(&d->status_backoff);
        backoff_reset(&d->bus_backoff);
        if (text_set(&d->to_version, report->new_version) < 0)
                log_warning("out of memory: the version of the update is not recorded");
        if (due && d->facts.update != UPDATE_DUE)
                daemon_be_due(d);
        if (!due)
                d->metrics.due_since = 0;
        d->facts.update = due ? UPDATE_DUE : UPDATE_NONE;
        daemon_decide_later(d);
}

static int on_status(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        _cleanup_(update_report_done) UpdateReport report = {};
        const sd_bus_error *failure = sd_bus_message_get_error(reply);
        Daemon *d = userdata;
        int r;

        d->status_call = sd_bus_slot_unref(d->status_call);
        r = failure ? -sd_bus_message_get_errno(reply) : update_report_read(reply, &report);
        if (r >= 0) {
                daemon_take_report(d, &report);
                return 0;
        }

        log_debug("GetStatus of the update daemon: %s", bus_error_text(failure, r));
        daemon_decide_later(d); /* what is known stays known */
        return daemon_retry_later(d, &d->status_retry, &d->status_backoff, on_status_retry);
}

static int daemon_ask_status(Daemon *d)
{
        if (d->status_call)
                return 0;
        return update_client_get_status_async(d->bus, &d->status_call, on_status, d);
}

static int on_status_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        return daemon_ask_status(userdata);
}

/*
 * Any user can send a signal with that name. Root's is believed (locksmithctl send-need-reboot is
 * one); anybody else's only makes us ask the update daemon itself.
 */
static int on_sender_known(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        _cleanup_(update_report_done) UpdateReport report = {};
        Daemon *d = userdata;
        sd_bus_message *update = d->update_signal;
        uint32_t uid;
        int r;

        d->sender_call = sd_bus_slot_unref(d->sender_call);
        if (!sd_bus_message_is_method_error(reply, NULL)
            && sd_bus_message_read(reply, "u", &uid) > 0 && (uid == 0 || uid == geteuid())) {
                r = update_report_read(update, &report);
                if (r >= 0)
                        daemon_take_report(d, &report);
        } else
                r = daemon_ask_status(d);

        d->update_signal = sd_bus_message_unref(update);
        return r == -EBADMSG ? 0 : r; /* a signal of another form is nobody's */
}

static int on_status_signal(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        Daemon *d = userdata;
        int r;

        d->sender_call = sd_bus_slot_unref(d->sender_call); /* the younger signal counts */
        sd_bus_message_unref(d->update_signal);
        d->update_signal = sd_bus_message_ref(message);

        r = sd_bus_call_method_async(d->bus, &d->sender_call, "org.freedesktop.DBus",
                                     "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                     "GetConnectionUnixUser", on_sender_known, d, "s",
                                     sd_bus_message_get_sender(message));
        return r < 0 ? r : 0;
}

/* The update daemon came, or came back: its state may be another one. */
static int on_owner_changed(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        const char *name, *old, *new;
        int r;

        r = sd_bus_message_read(message, "sss", &name, &old, &new);
        if (r < 0 || !*new)
                return 0;

        return daemon_ask_status(userdata);
}

static int on_bus_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Daemon *d = userdata;
        int r;

        r = daemon_bus_start(d);
        if (r >= 0)
                return 0;

        log_debug("connecting to the system bus: %s", strerror(-r));
        daemon_bus_done(d);
        return daemon_retry_later(d, &d->bus_retry, &d->bus_backoff, on_bus_retry);
}

/*
 * Without the bus nobody can be asked: what was agreed counts no longer, and a lock is given back. A
 * reboot that was asked for may be what has ended the bus.
 */
static int on_bus_gone(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Daemon *d = userdata;

        if (d->facts.rebooting && d->reboot_call)
                daemon_on_accepted(
                        d); /* nobody will say any more: as if, and patience has an end */
        if (!d->facts.rebooting)
                daemon_forget_clearance(d);
        daemon_bus_done(d);
        d->facts.update = UPDATE_NOT_KNOWN;
        daemon_decide_later(d);
        return daemon_retry_later(d, &d->bus_retry, &d->bus_backoff, on_bus_retry);
}

/* The bus is at work below, so it is let go of a moment later. */
static int on_lost(_unused_ sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        Daemon *d = userdata;
        int r;

        log_warning("the connection to the system bus is lost: looking for it again");
        d->bus_retry = sd_event_source_disable_unref(d->bus_retry);
        r = sd_event_add_time_relative(d->event, &d->bus_retry, CLOCK_MONOTONIC, 0, 0, on_bus_gone,
                                       d);
        return r < 0 ? sd_event_exit(d->event, log_error_errno(r, "setting a timer: %m")) : 0;
}

static int bus_watch(Daemon *d)
{
        int r;

        r = sd_bus_set_exit_on_disconnect(d->bus, false);
        if (r >= 0)
                r = sd_bus_match_signal(d->bus, &d->lost_match, NULL, "/org/freedesktop/DBus/Local",
                                        "org.freedesktop.DBus.Local", "Disconnected", on_lost, d);

        /* Watch first, ask then: nothing is missed in between. */
        if (r >= 0)
                r = update_client_watch(d->bus, &d->status_match, on_status_signal, d);
        if (r >= 0)
                r = sd_bus_add_match(
                        d->bus, &d->owner_match,
                        "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
                        "arg0='" UPDATE_BUS_NAME "'",
                        on_owner_changed, d);
        return r < 0 ? r : 0;
}

int daemon_bus_start(Daemon *d)
{
        int r;

        d->status_backoff = d->slot_backoff =
                (Backoff) { .first = DAEMON_RETRY_FIRST, .max = DAEMON_RETRY_MAX };
        r = bus_open(d->event, &d->bus);
        if (r >= 0)
                r = bus_watch(d);
        if (r >= 0)
                r = daemon_ask_status(d);
        return r < 0 ? r : 0;
}

static int on_slot_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Daemon *d = userdata;

        d->slot_retry = sd_event_source_disable_unref(d->slot_retry);
        daemon_decide_later(d);
        return 0;
}

static int on_slot_good(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        const sd_bus_error *failure = sd_bus_message_get_error(reply);
        Daemon *d = userdata;
        int good = 0, r;

        d->slot_call = sd_bus_slot_unref(d->slot_call);
        r = failure ? -sd_bus_message_get_errno(reply)
                    : sd_bus_message_read(reply, "v", "b", &good);
        if (r < 0)
                log_debug("RunningSlotGood of the update daemon: %s", bus_error_text(failure, r));

        d->facts.slot_good = r >= 0 && good;
        if (!d->facts.slot_good)
                daemon_be_ill(d, "the running slot is not marked good");
        if (!d->facts.slot_good)
                return daemon_retry_later(d, &d->slot_retry, &d->slot_backoff, on_slot_retry);
        daemon_decide_later(d);
        return 0;
}

void daemon_check_slot(Daemon *d)
{
        int r;

        if (d->slot_call || d->slot_retry)
                return;

        r = update_client_get_good_async(d->bus, &d->slot_call, on_slot_good, d);
        if (r < 0)
                (void)sd_event_exit(d->event,
                                    log_error_errno(r, "asking for the state of the slot: %m"));
}

static int on_reboot_reply(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        const sd_bus_error *failure = sd_bus_message_get_error(reply);
        Daemon *d = userdata;

        d->reboot_call = sd_bus_slot_unref(d->reboot_call);
        if (failure)
                daemon_on_refused(d, bus_error_text(failure, -sd_bus_message_get_errno(reply)));
        else
                daemon_on_accepted(d);
        return 0;
}

void daemon_reboot(Daemon *d)
{
        int r;

        r = duration_begin(d->settings->root);
        if (r < 0)
                log_warning_errno(r, "%s: %m: how long this reboot takes is not learned",
                                  DURATION_FILE);
        d->facts.rebooting = true; /* before the reply: the end may be faster than that */
        r = reboot_request_async(d->bus, &d->reboot_call, on_reboot_reply, d);
        if (r < 0)
                daemon_on_refused(d, strerror(-r));
}

void daemon_bus_done(Daemon *d)
{
        sd_bus_slot **slots[] = { &d->lost_match,  &d->status_match, &d->owner_match,
                                  &d->status_call, &d->sender_call,  &d->slot_call,
                                  &d->reboot_call };

        for (size_t i = 0; i < ELEMENTSOF(slots); i++)
                *slots[i] = sd_bus_slot_unref(*slots[i]);
        d->update_signal = sd_bus_message_unref(d->update_signal);
        d->status_retry = sd_event_source_disable_unref(d->status_retry);
        d->slot_retry = sd_event_source_disable_unref(d->slot_retry);
        d->bus_retry = sd_event_source_disable_unref(d->bus_retry);
        d->bus = sd_bus_flush_close_unref(d->bus);
}
