/*
 * What the daemon tells: its state to log, systemd, coordinator.conf and Prometheus; events to the journal, and some of
 * them to the programs in notify.d.
 */
#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "base/metrics-text.h"
#include "base/text.h"
#include "daemon-internal.h"
#include "lock-metrics.h"

/* How the file coordinator.conf and systemd are told of each action; the words of the file are
 * locksmith's. */
static const struct {
        const char *state, *text;
        enum {
                WHY_LOCK,
                WHY_CLEARANCE,
                WHY_WINDOW
        } why;
} action_table[_ACTION_MAX] = {
        [ACTION_WAIT_FOR_DAEMON] = { "starting", "waiting for the update daemon" },
        [ACTION_WAIT_FOR_UPDATE] = { "running", "waiting for an update" },
        [ACTION_WAIT_FOR_WINDOW] = { "running", "a reboot is due: waiting for the reboot window",
                                     WHY_WINDOW },
        [ACTION_WAIT_FOR_CLEARANCE] = { "running",
                                        "a reboot is due: waiting for all who have a say in it",
                                        WHY_CLEARANCE },
        [ACTION_WAIT_FOR_DRAIN] = { "reboot-planned", "a reboot is due: emptying this host",
                                    WHY_CLEARANCE },
        [ACTION_WAIT_FOR_LOCK] = { "reboot-planned", "a reboot is due: waiting for the lock" },
        [ACTION_WAIT_FOR_RELEASE] = { "running", "giving the lock back" },
        [ACTION_WAIT_FOR_RETRY] = { "reboot-planned",
                                    "a reboot is due: it was refused and is asked for again soon" },
        [ACTION_WAIT_FOR_REBOOT] = { "rebooting", "the reboot was asked for" },
        [ACTION_CHECK_SLOT] = { "running",
                                "keeping the lock until the running slot is marked good" },
        [ACTION_CHECK_MEMBER] = { "running",
                                  "keeping the lock until the member of etcd here is well" },
        [ACTION_ASK_ETCD] = { "running", "looking for an etcd" },
        [ACTION_ASK_CLEARANCE] = { "running",
                                   "a reboot is due: waiting for all who have a say in it",
                                   WHY_CLEARANCE },
        [ACTION_DRAIN] = { "reboot-planned", "a reboot is due: emptying this host", WHY_CLEARANCE },
        [ACTION_TAKE] = { "reboot-planned", "a reboot is due: taking the lock" },
        [ACTION_RELEASE] = { "running", "giving the lock back" },
        [ACTION_REBOOT] = { "rebooting", "asking for the reboot" },
};

static void daemon_write_metrics(Daemon *d)
{
        const Settings *settings = d->settings;
        _cleanup_free_ char *text = NULL;
        int r;

        if (!settings->metrics_file)
                return;

        d->metrics.strategy = strategy_to_string(settings->strategy);
        d->metrics.group = settings->group;
        d->metrics.state = action_table[d->action].state;
        d->metrics.due = d->facts.update == UPDATE_DUE;
        d->metrics.window_open = d->facts.window_open;
        d->metrics.lock_held = d->facts.lock == LOCK_STATE_HELD;
        r = lock_metrics_print(&d->metrics, &text);
        if (r >= 0)
                r = metrics_file_write(NULL, settings->metrics_file, text);
        if (r < 0)
                log_warning_errno(r, "REBOOT_METRICS_FILE %s: %m", settings->metrics_file);
}

/* Tells log, coordinator.conf and systemd, when there is something new to tell. */
void daemon_say(Daemon *d)
{
        const char *state = action_table[d->action].state, *text = action_table[d->action].text;
        const char *const whys[] = {
                [WHY_LOCK] = d->lock_why,
                [WHY_CLEARANCE] = d->clearance_why,
                [WHY_WINDOW] = d->window_why,
        };
        const char *why = whys[action_table[d->action].why];
        _cleanup_free_ char *say = NULL;
        int r;

        if (text_format(&say, "%s%s%s", text, why ? ": " : "", why ? why : "") < 0)
                return;
        if (streq_null(say, d->said))
                return;

        log_info("%s", say);
        daemon_write_metrics(d);
        (void)sd_notifyf(false, "STATUS=%s", say); /* not under systemd: nobody to tell */
        r = coordinator_write(&d->coordinator, strategy_to_string(d->settings->strategy), state,
                              say);
        if (r < 0)
                log_warning_errno(r, "%s: %m", COORDINATOR_FILE);
        free(d->said);
        d->said = TAKE_PTR(say);
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
}
