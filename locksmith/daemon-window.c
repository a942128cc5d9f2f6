/*
 * The reboot window for the daemon: open, and open for long enough.
 */
#include "base/log.h"
#include "daemon-internal.h"

static void on_clock(void *userdata)
{
        daemon_decide_later(userdata);
}

static int on_window(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        daemon_decide_later(userdata);
        return 0;
}

static void window_explain(Daemon *d, bool open)
{
        _cleanup_free_ char *why = NULL;
        char span[TIMESPAN_MAX];
        int r = 0;

        if (open && !d->facts.window_open)
                r = text_format(&why, "what is left of it is less than a reboot takes (%s)",
                                timespan_format(d->reboot_takes, span));
        if (r >= 0)
                r = text_set(&d->window_why, why);
        if (r < 0)
                log_warning("out of memory: why the window is of no use is not told");
}

int daemon_window_look(Daemon *d)
{
        const Windows *windows = &d->settings->windows;
        usec_t now = now_realtime(), change;

        d->window = sd_event_source_disable_unref(d->window);
        d->facts.window_open = windows_have_room(windows, now, d->reboot_takes);
        window_explain(d, windows_is_open(windows, now));
        if (d->facts.update != UPDATE_DUE)
                return 0;
        change = windows_next_room(windows, now, d->reboot_takes);
        if (change == USEC_INFINITY)
                return 0;

        return sd_event_add_time(d->event, &d->window, CLOCK_REALTIME, change, 0, on_window, d);
}

static void daemon_learn(Daemon *d)
{
        char span[TIMESPAN_MAX];
        usec_t took;
        int r;

        r = duration_end(d->settings->root, &took);
        if (r < 0)
                log_warning_errno(r, "%s: %m: how long the reboot took is not learned",
                                  DURATION_FILE);
        d->started = now_boottime();
        d->came_back = r > 0;
        d->tell.metrics.took = took / USEC_PER_SEC;
        if (took > 0)
                log_info("the reboot took %s", timespan_format(took, span));
        d->reboot_takes = duration_expected(d->settings);
}

int daemon_window_start(Daemon *d)
{
        daemon_learn(d);
        return clock_watch_start(d->event, d->settings->root, on_clock, d, &d->clock);
}

void daemon_window_done(Daemon *d)
{
        d->window = sd_event_source_disable_unref(d->window);
        d->clock = clock_watch_stop(d->clock);
}
