/*
 * Everybody besides the lock who has a say in the reboot, asked for the daemon: the answers become
 * facts.
 */
#include "base/log.h"
#include "daemon-internal.h"

static void daemon_set_clearance(Daemon *d, ClearanceState to_lock, ClearanceState to_reboot,
                                 const char *why)
{
        d->facts.to_lock = to_lock;
        d->facts.to_reboot = to_reboot;
        if (text_set(&d->clearance_why, why) < 0)
                log_warning("out of memory: what keeps the reboot up is not told");
}

void daemon_forget_clearance(Daemon *d)
{
        d->clearance = clearance_cancel(d->clearance);
        d->clearance_retry = sd_event_source_disable_unref(d->clearance_retry);
        backoff_reset(&d->clearance_backoff);
        daemon_set_clearance(d, CLEARANCE_NOT_ASKED, CLEARANCE_NOT_ASKED, NULL);
}

static int on_clearance_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec,
                              void *userdata)
{
        Daemon *d = userdata;

        /* The last reason stays told until there is another answer. */
        d->facts.to_lock = d->facts.to_reboot = CLEARANCE_NOT_ASKED;
        daemon_decide_later(d);
        return 0;
}

/* Both rounds begin anew after a while: what one has allowed may be over by then. */
static void daemon_clearance_refused(Daemon *d, const char *why)
{
        int r;

        if (!streq_null(why, d->kept_back) && text_set(&d->kept_back, why) >= 0)
                daemon_tell(d, LOCK_EVENT_KEPT_BACK, why, "the reboot is kept back: %s", why);
        daemon_set_clearance(d, CLEARANCE_REFUSED, CLEARANCE_REFUSED, why);
        r = daemon_retry_later(d, &d->clearance_retry, &d->clearance_backoff, on_clearance_retry);
        if (r < 0)
                (void)sd_event_exit(
                        d->event,
                        log_error_errno(r, "setting a timer: %m")); /* fails in the end only */
}

static void on_clearance_wait(const char *why, void *userdata)
{
        Daemon *d = userdata;

        daemon_set_clearance(d, d->facts.to_lock, d->facts.to_reboot, why);
        daemon_decide_later(d);
}

/* Each reason once: what is asked again and again is told by the state. */
static void on_clearance_stopped(const char *why, void *userdata)
{
        Daemon *d = userdata;

        if (streq_null(why, d->told_late) || text_set(&d->told_late, why) < 0)
                return;
        daemon_tell(d, LOCK_EVENT_LATE, why, "a host has not come back: %s", why);
        daemon_notify(d, NOTIFY_LATE, why);
}

static void on_clearance_to_lock(const char *why, void *userdata)
{
        Daemon *d = userdata;

        d->clearance = NULL;
        if (why)
                daemon_clearance_refused(d, why);
        else
                daemon_set_clearance(d, CLEARANCE_GIVEN, CLEARANCE_NOT_ASKED, NULL);
        daemon_decide_later(d);
}

static void on_clearance_to_reboot(const char *why, void *userdata)
{
        Daemon *d = userdata;

        d->clearance = NULL;
        if (why)
                daemon_clearance_refused(d, why);
        else {
                daemon_set_clearance(d, CLEARANCE_GIVEN, CLEARANCE_GIVEN, NULL);
                backoff_reset(&d->clearance_backoff);
        }
        daemon_decide_later(d);
}

static int on_member_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Daemon *d = userdata;

        d->member_retry = sd_event_source_disable_unref(d->member_retry);
        daemon_decide_later(d);
        return 0;
}

static void daemon_check_member_later(Daemon *d, const char *why)
{
        int r;

        daemon_be_ill(d, why);
        daemon_set_lock(d, d->facts.lock, why);
        daemon_decide_later(d);
        r = daemon_retry_later(d, &d->member_retry, &d->member_backoff, on_member_retry);
        if (r < 0)
                (void)sd_event_exit(
                        d->event,
                        log_error_errno(r, "setting a timer: %m")); /* fails in the end only */
}

static void on_member(const GuardReply *reply, void *userdata)
{
        Daemon *d = userdata;

        d->guard = NULL;
        d->facts.member_good = reply->agrees;
        if (reply->agrees)
                daemon_decide_later(d);
        else
                daemon_check_member_later(d, reply->why);
}

void daemon_check_member(Daemon *d)
{
        int r;

        if (d->guard || d->member_retry)
                return;

        r = guard_ask(&d->session, d->settings, GUARD_RETURN, false, on_member, d, &d->guard);
        if (r < 0)
                daemon_check_member_later(d, strerror(-r));
}

void daemon_member_done(Daemon *d)
{
        d->guard = guard_cancel(d->guard);
        d->member_retry = sd_event_source_disable_unref(d->member_retry);
}

void daemon_ask_clearance(Daemon *d, ClearanceKind kind)
{
        bool to_lock = kind == CLEARANCE_LOCK;
        int r;

        if (to_lock)
                d->facts.to_lock = CLEARANCE_ASKING;
        else
                d->facts.to_reboot = CLEARANCE_ASKING;
        d->clearance = clearance_cancel(d->clearance);
        r = clearance_start(
                &(ClearanceRequest) {
                        .kind = kind,
                        .session = &d->session,
                        .bus = d->watch.bus,
                        .settings = d->settings,
                        .version = d->to_version,
                        .with_lock = strategy_needs_lock(d->settings->strategy, d->facts.etcd_seen),
                        .is_known = d->is_known,
                        .on_wait = on_clearance_wait,
                        .on_stopped = on_clearance_stopped,
                        .on_done = to_lock ? on_clearance_to_lock : on_clearance_to_reboot,
                        .userdata = d,
                },
                &d->clearance);
        if (r < 0)
                daemon_clearance_refused(d, strerror(-r));
        daemon_decide_later(d);
}
