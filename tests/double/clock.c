/*
 * A clock that tests can set, for LD_PRELOAD: the file that SLUICE_CLOCK names holds the seconds that
 * CLOCK_REALTIME is ahead of the machine's. Absolute timerfds follow it, and one with
 * TFD_TIMER_CANCEL_ON_SET is cancelled when it is set, as timerfd_create(2) has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TIMERS_MAX 64
#define TICK_NSEC  (20 * 1000 * 1000) /* how often a timer that waits for a set clock looks */
#define NUMBER_MAX 32

static struct Timer {
        bool known;      /* a timerfd on CLOCK_REALTIME */
        bool cancelable; /* armed with TFD_TIMER_CANCEL_ON_SET */
        bool absolute;
        struct itimerspec when;
        long long ahead; /* when it was armed */
} timers[TIMERS_MAX];

static long long clock_ahead(void)
{
        const char *path = getenv("SLUICE_CLOCK");
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        char text[NUMBER_MAX] = "";
        ssize_t n;

        if (fd < 0)
                return 0;
        n = (ssize_t)syscall(SYS_read, fd, text, sizeof(text) - 1);
        (void)close(fd);
        return n > 0 ? strtoll(text, NULL, 10) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
        int r = (int)syscall(SYS_clock_gettime, clock, ret);

        if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
                ret->tv_sec += clock_ahead();
        return r;
}

time_t time(time_t *ret)
{
        struct timespec now = { 0 };

        (void)clock_gettime(CLOCK_REALTIME, &now);
        if (ret)
                *ret = now.tv_sec;
        return now.tv_sec;
}

int timerfd_create(int clock, int flags)
{
        int fd = (int)syscall(SYS_timerfd_create, clock, flags);

        if (fd >= 0 && fd < TIMERS_MAX)
                timers[fd] = (struct Timer) { .known = clock == CLOCK_REALTIME };
        return fd;
}

static int timer_arm(int fd)
{
        const struct Timer *timer = &timers[fd];
        struct itimerspec when = timer->when;

        if (timer->cancelable)
                when = (struct itimerspec) { { 0, TICK_NSEC }, { 0, TICK_NSEC } };
        else if (timer->absolute && when.it_value.tv_sec > 0)
                when.it_value.tv_sec = when.it_value.tv_sec > timer->ahead
                                               ? when.it_value.tv_sec - timer->ahead
                                               : 1; /* long ago */
        return (int)syscall(SYS_timerfd_settime, fd,
                            timer->absolute && !timer->cancelable ? TFD_TIMER_ABSTIME : 0, &when,
                            NULL);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
        struct Timer *timer = fd >= 0 && fd < TIMERS_MAX ? &timers[fd] : NULL;

        if (!timer || !timer->known)
                return (int)syscall(SYS_timerfd_settime, fd, flags, when, old);

        timer->when = *when;
        timer->absolute = flags & TFD_TIMER_ABSTIME;
        timer->cancelable = flags & TFD_TIMER_CANCEL_ON_SET;
        timer->ahead = clock_ahead();
        return timer_arm(fd);
}

/* The kernel looks at all absolute timers anew. */
static void timers_follow(long long ahead)
{
        for (int fd = 0; fd < TIMERS_MAX; fd++)
                if (timers[fd].known && timers[fd].absolute && !timers[fd].cancelable) {
                        timers[fd].ahead = ahead;
                        (void)timer_arm(fd);
                }
}

ssize_t read(int fd, void *data, size_t size)
{
        ssize_t n = (ssize_t)syscall(SYS_read, fd, data, size);
        long long ahead;

        if (n < 0 || fd < 0 || fd >= TIMERS_MAX || !timers[fd].known || !timers[fd].cancelable)
                return n;

        ahead = clock_ahead();
        if (ahead == timers[fd].ahead) {
                errno = EAGAIN;
                return -1;
        }
        timers[fd].ahead = ahead;
        timers_follow(ahead);
        errno = ECANCELED;
        return -1;
}
