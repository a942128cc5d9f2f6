/*
 * What the daemon tells: its state to log, systemd, coordinator.conf and Prometheus; events to the journal, and some of
 * them to the programs in notify.d.
 */
#include <stdarg.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon-internal.h"

void daemon_say(Daemon *d)
{
        const char *const whys[_STATE_WHY_MAX] = {
                [STATE_WHY_LOCK] = d->lock_why,
                [STATE_WHY_CLEARANCE] = d->clearance_why,
                [STATE_WHY_WINDOW] = d->window_why,
        };

        d->tell.metrics.due = d->facts.update == UPDATE_DUE;
        d->tell.metrics.window_open = d->facts.window_open;
        d->tell.metrics.lock_held = d->facts.lock == LOCK_STATE_HELD;
        state_tell(&d->tell, d->action, whys);
}

void daemon_tell(Daemon *d, LockEvent event, const char *reason, const char *format, ...)
{
        _cleanup_free_ char *message = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = text_vformat(&message, format, arguments);
        va_end(arguments);
        if (r < 0)
                return; /* out of memory: that is told where it matters */

        lock_event_tell(event,
                        &(LockEventFields) {
                                .version = d->to_version,
                                .group = d->settings->group,
                                .reason = reason,
                        },
                        "%s", message);
}

static void on_notified(const char *why, void *userdata)
{
        Daemon *d = userdata;

        d->notification = NULL; /* gone behind this call */
        if (why)
                log_warning("%s", why);
        daemon_notify_next(d);
        daemon_decide_later(d);
}

/* One after another; what happens while one runs is told behind it. */
void daemon_notify_next(Daemon *d)
{
        for (int event = 0; event < _NOTIFY_EVENT_MAX && !d->notification; event++) {
                _cleanup_free_ char *reason = TAKE_PTR(d->notify_reasons[event]);
                int r;

                if (!reason)
                        continue;
                r = notify_start(d->event,
                                 &(NotifyRequest) {
                                         .settings = d->settings,
                                         .event = (NotifyEvent)event,
                                         .version = d->to_version,
                                         .reason = reason,
                                         .on_done = on_notified,
                                         .userdata = d,
                                 },
                                 &d->notification);
                if (r < 0)
                        log_warning_errno(r, NOTIFY_DIRECTORY ": %m");
        }
}

void daemon_notify(Daemon *d, NotifyEvent event, const char *reason)
{
        if (text_set(&d->notify_reasons[event], reason) < 0)
                log_warning("out of memory: a notification is left out");
        daemon_notify_next(d);
}

void daemon_be_back(Daemon *d)
{
        d->came_back = false;
        daemon_tell(d, LOCK_EVENT_BACK, NULL, "a reboot is over, and this host is well");
        daemon_notify(d, NOTIFY_BACK, "");
}

/* At the boot everything takes its time; behind the time that it has the others wonder, too. */
void daemon_be_ill(Daemon *d, const char *why)
{
        usec_t limit = d->settings->return_time;

        if (!d->came_back || d->told_ill || limit == 0 || now_boottime() - d->started < limit)
                return;

        d->told_ill = true;
        daemon_tell(d, LOCK_EVENT_ILL, why, "a reboot is over, and the lock is kept: %s", why);
}

void daemon_tell_done(Daemon *d)
{
        d->notification = hooks_cancel(d->notification);
        for (int event = 0; event < _NOTIFY_EVENT_MAX; event++)
                text_clear(&d->notify_reasons[event]);
        text_clear(&d->kept_back);
        text_clear(&d->told_late);
        state_tell_done(&d->tell);
}
