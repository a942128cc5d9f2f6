#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time-util.h"
#include "clock-watch.h"

#define ZONE_DIRECTORY "/etc"
#define ZONE_NAME      "localtime"
#define FAR_AWAY       INT32_MAX /* seconds behind now: such a timer never ends by itself */

struct ClockWatch {
        int timer;
        sd_event_source *clock, *zone;
        ClockOnChange on_change;
        void *userdata;
};

ClockWatch *clock_watch_stop(ClockWatch *w)
{
        if (!w)
                return NULL;

        sd_event_source_disable_unref(w->clock);
        sd_event_source_disable_unref(w->zone);
        close_fd(w->timer);
        free(w);
        return NULL;
}
DEFINE_CLEANUP(ClockWatch *, clock_watch_stop);

/* Setting the clock cancels the timer; it has no other purpose. */
static int timer_arm(const ClockWatch *w)
{
        struct itimerspec when = {
                .it_value.tv_sec = (time_t)(now_realtime() / USEC_PER_SEC) + FAR_AWAY,
        };

        return RET_ERRNO(timerfd_settime(w->timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
                                         &when, NULL));
}

static int on_timer(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents,
                    void *userdata)
{
        ClockWatch *w = userdata;
        uint64_t n;
        int r;

        if (read(fd, &n, sizeof(n)) < 0 && errno == EAGAIN)
                return 0;

        log_info("the clock was set: looking at the time again");
        r = timer_arm(w); /* first: it may be set again meanwhile */
        if (r < 0)
                return r;
        w->on_change(w->userdata);
        return 0;
}

/* libc reads the file again only when TZ is not set, or has become another one. */
static int zone_read_again(void)
{
        _cleanup_free_ char *zone = NULL;
        int r;

        r = text_set(&zone, getenv("TZ"));
        if (r >= 0 && zone)
                r = RET_ERRNO(unsetenv("TZ"));
        tzset();
        if (r >= 0 && zone)
                r = RET_ERRNO(setenv("TZ", zone, 1));
        tzset();
        return r;
}

static int on_zone(_unused_ sd_event_source *source, const struct inotify_event *event,
                   void *userdata)
{
        ClockWatch *w = userdata;
        int r;

        if (!(event->mask & IN_Q_OVERFLOW) && (event->len == 0 || !streq(event->name, ZONE_NAME)))
                return 0;

        log_info("the time zone of the host has changed: looking at the time again");
        r = zone_read_again();
        if (r < 0)
                return r;
        w->on_change(w->userdata);
        return 0;
}

static int zone_watch(ClockWatch *w, sd_event *event, const char *root)
{
        _cleanup_free_ char *path = NULL;
        int r;

        r = root_join(root, ZONE_DIRECTORY, &path);
        if (r >= 0)
                r = sd_event_add_inotify(event, &w->zone, path,
                                         IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE
                                                 | IN_ONLYDIR,
                                         on_zone, w);
        return r == -ENOENT ? 0 : r; /* a root without settings */
}

int clock_watch_start(sd_event *event, const char *root, ClockOnChange on_change, void *userdata,
                      ClockWatch **ret)
{
        _cleanup_(clock_watch_stop_p) ClockWatch *w = calloc(1, sizeof(ClockWatch));
        int r;

        if (!w)
                return -ENOMEM;
        *w = (ClockWatch) {
                .timer = RET_ERRNO(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC)),
                .on_change = on_change,
                .userdata = userdata,
        };
        if (w->timer < 0)
                return w->timer;

        r = timer_arm(w);
        if (r >= 0)
                r = sd_event_add_io(event, &w->clock, w->timer, EPOLLIN, on_timer, w);
        if (r >= 0)
                r = zone_watch(w, event, root);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(w);
        return 0;
}
