/*
 * The daemon on the system bus: what the update daemon says, whether the running slot is good, and
 * the reboot.
 */
#include "base/log.h"
#include "base/reboot.h"
#include "base/text.h"
#include "daemon-internal.h"

static void daemon_be_due(Daemon *d)
{
        d->facts.etcd_asked = false; /* an old answer does not count for a new reboot */
        d->tell.metrics.due_since = now_realtime() / USEC_PER_SEC;
        text_clear(&d->kept_back);
        daemon_tell(d, LOCK_EVENT_DUE, NULL, "version %s waits for a reboot",
                    is_empty(d->to_version) ? "?" : d->to_version);
}

void daemon_take_report(Daemon *d, bool due, const char *version)
{
        if (text_set(&d->to_version, version) < 0)
                log_warning("out of memory: the version of the update is not recorded");
        if (due && d->facts.update != UPDATE_DUE)
                daemon_be_due(d);
        if (!due)
                d->tell.metrics.due_since = 0;
        d->facts.update = due ? UPDATE_DUE : UPDATE_NONE;
}

static void on_report(const UpdateReport *report, void *userdata)
{
        Daemon *d = userdata;

        if (report)
                daemon_take_report(d, report->status == UPDATE_STATUS_UPDATED_NEED_REBOOT,
                                   report->new_version);
        daemon_decide_later(d);
}

static void daemon_bus_forget(Daemon *d)
{
        d->slot_call = sd_bus_slot_unref(d->slot_call);
        d->reboot_call = sd_bus_slot_unref(d->reboot_call);
        d->slot_retry = sd_event_source_disable_unref(d->slot_retry);
        backoff_reset(&d->slot_backoff);
}

/*
 * Without the bus nobody can be asked: what was agreed counts no longer, and a lock is given back. A
 * reboot that was asked for may be what has ended the bus.
 */
static void on_bus_lost(void *userdata)
{
        Daemon *d = userdata;

        if (d->facts.rebooting && d->reboot_call)
                daemon_on_accepted(
                        d); /* nobody will say any more: as if, and patience has an end */
        if (!d->facts.rebooting)
                daemon_forget_clearance(d);
        daemon_bus_forget(d);
        d->facts.update = UPDATE_NOT_KNOWN;
        daemon_decide_later(d);
}

int daemon_bus_start(Daemon *d, Handover *woken)
{
        d->slot_backoff = (Backoff) { .first = DAEMON_RETRY_FIRST, .max = DAEMON_RETRY_MAX };
        d->watch = (UpdateWatch) {
                .event = d->event,
                .on_report = on_report,
                .on_lost = on_bus_lost,
                .userdata = d,
                .said = _UPDATE_STATUS_INVALID,
        };
        return woken ? update_watch_resume(&d->watch, woken) : update_watch_start(&d->watch);
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

        r = update_client_get_good_async(d->watch.bus, &d->slot_call, on_slot_good, d);
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
        r = reboot_request_async(d->watch.bus, &d->reboot_call, on_reboot_reply, d);
        if (r < 0)
                daemon_on_refused(d, strerror(-r));
}

void daemon_bus_done(Daemon *d)
{
        daemon_bus_forget(d);
        update_watch_done(&d->watch);
}
