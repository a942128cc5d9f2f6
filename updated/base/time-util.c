#include <stdio.h>
#include <time.h>

#include "base/time-util.h"

static usec_t now_of(clockid_t clock)
{
        struct timespec t;

        if (clock_gettime(clock, &t) < 0)
                return 0; /* can not happen for the clocks used here */
        return (usec_t)t.tv_sec * USEC_PER_SEC + (usec_t)t.tv_nsec / 1000;
}

usec_t now_realtime(void)
{
        return now_of(CLOCK_REALTIME);
}

usec_t now_boottime(void)
{
        return now_of(CLOCK_BOOTTIME);
}

const char *timespan_format(usec_t span, char buffer[static TIMESPAN_MAX])
{
        unsigned long long seconds = span / USEC_PER_SEC;

        if (seconds < 10)
                snprintf(buffer, TIMESPAN_MAX, "%llu.%llu s", seconds,
                         (unsigned long long)(span % USEC_PER_SEC / 100000));
        else if (seconds < 60)
                snprintf(buffer, TIMESPAN_MAX, "%llu s", seconds);
        else if (seconds < 3600)
                snprintf(buffer, TIMESPAN_MAX, "%llu min %llu s", seconds / 60, seconds % 60);
        else
                snprintf(buffer, TIMESPAN_MAX, "%llu h %llu min", seconds / 3600,
                         seconds / 60 % 60);

        return buffer;
}

const char *timespan_format_short(usec_t span, char buffer[static TIMESPAN_MAX])
{
        static const struct {
                usec_t below, unit;
                const char *name;
        } units[] = {
                { USEC_PER_MINUTE, USEC_PER_SEC, "s" },
                { USEC_PER_HOUR, USEC_PER_MINUTE, "min" },
                { USEC_PER_DAY, USEC_PER_HOUR, "h" },
                { USEC_INFINITY, USEC_PER_DAY, "d" },
        };
        size_t i = 0;

        while (i + 1 < ELEMENTSOF(units) && span >= units[i].below)
                i++;
        snprintf(buffer, TIMESPAN_MAX, "%llu %s", (unsigned long long)(span / units[i].unit),
                 units[i].name);
        return buffer;
}

const char *bytes_format(uint64_t bytes, char buffer[static BYTES_MAX])
{
        static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
        uint64_t whole = bytes, tenths = 0;
        size_t unit = 0;

        while (whole >= 1000) {
                tenths = whole % 1000 / 100;
                whole /= 1000;
                unit++;
        }

        if (unit == 0)
                snprintf(buffer, BYTES_MAX, "%llu B", (unsigned long long)whole);
        else
                snprintf(buffer, BYTES_MAX, "%llu.%llu %s", (unsigned long long)whole,
                         (unsigned long long)tenths, units[unit]);
        return buffer;
}
