/*
 * How long the update daemon takes to answer GetStatus on the system bus (DBUS_SYSTEM_BUS_ADDRESS): asks every
 * 5 ms for so many seconds, prints the number of answers, median, 99th percentile and the longest, in ms.
 *
 *     bus-latency SECONDS
 */
#include <stdio.h>

#include "base/bus.h"
#include "base/text.h"
#include "base/time-util.h"
#include "client.h"

#define INTERVAL    (5 * USEC_PER_MSEC)
#define SECONDS_MAX 600

static int time_compare(const void *a, const void *b)
{
        const usec_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

static double in_ms(usec_t time)
{
        return (double)time / (double)USEC_PER_MSEC;
}

static size_t measure(sd_bus *bus, usec_t span, usec_t *times, size_t n_max)
{
        usec_t end = now_boottime() + span;
        size_t n = 0;

        while (n < n_max && now_boottime() < end) {
                _cleanup_(update_report_done) UpdateReport report = {};
                usec_t begin = now_boottime();

                if (update_client_get_status(bus, &report, NULL) < 0)
                        return 0;
                times[n++] = now_boottime() - begin;
                (void)usleep(INTERVAL); /* a shorter pause does no harm */
        }
        return n;
}

int main(int argc, char **argv)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ usec_t *times = NULL;
        uint64_t seconds;
        size_t n, n_max;

        if (argc != 2 || text_to_u64(argv[1], SECONDS_MAX, &seconds) < 0 || seconds == 0) {
                fprintf(stderr, "Usage: bus-latency SECONDS\n");
                return 2;
        }
        n_max = seconds * USEC_PER_SEC / INTERVAL;
        times = calloc(n_max, sizeof(usec_t));
        if (!times || bus_open(NULL, &bus) < 0)
                return 1;
        n = measure(bus, seconds * USEC_PER_SEC, times, n_max);
        if (n == 0) {
                fprintf(stderr, "bus-latency: updated does not answer\n");
                return 1;
        }

        qsort(times, n, sizeof(usec_t), time_compare);
        printf("%zu answers, median %.2f ms, 99%% %.2f ms, longest %.2f ms\n", n,
               in_ms(times[n / 2]), in_ms(times[n * 99 / 100]), in_ms(times[n - 1]));
        return 0;
}
