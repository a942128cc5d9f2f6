/*
 * Requests per minute that a fleet makes after a common power-on: draws 100,000 hosts over six hours with the
 * daemon's own schedule, for FIRST_CHECK=spread and FIRST_CHECK=classic, and prints peak over mean from the first
 * full interval on. Exits with 1 when "spread" is above the promised 1.2.
 *
 *     schedule [SEED] [minutes]        "minutes": a line for each minute, both rules, to be drawn
 */
#include <stdio.h>

#include "base/text.h"
#include "config.h"
#include "host.h"
#include "schedule.h"

#define CLIENTS    100000
#define MINUTES    360
#define PROMISED   1.2
#define MACHINE_ID 33

/* SplitMix64: the same numbers on every machine. */
static uint64_t chance(uint64_t *state)
{
        uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

        x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
        return x ^ x >> 31;
}

static void client_run(usec_t first, uint64_t *seed, unsigned requests[static MINUTES])
{
        char id[MACHINE_ID];
        const Host host = { .machine_id = id };
        Schedule schedule = { .first = first, .interval = CONFIG_INTERVAL_DEFAULT };

        snprintf(id, sizeof(id), "%016llx%016llx", (unsigned long long)chance(seed),
                 (unsigned long long)chance(seed));
        schedule.place = host_place(&host);
        for (usec_t now = 0;;) {
                schedule.chance = chance(seed);
                schedule.last = schedule_next(&schedule);
                now += schedule.last;
                if (now >= MINUTES * USEC_PER_MINUTE)
                        return;
                requests[now / USEC_PER_MINUTE]++;
        }
}

/* From the first full interval on: before it, the first checks are still coming in. */
static double peak_over_mean(const unsigned requests[static MINUTES])
{
        size_t from = CONFIG_INTERVAL_DEFAULT / USEC_PER_MINUTE;
        double sum = 0, peak = 0;

        for (size_t i = from; i < MINUTES; i++) {
                sum += requests[i];
                peak = MAX_OF(peak, (double)requests[i]);
        }
        return peak * (double)(MINUTES - from) / sum;
}

int main(int argc, char **argv)
{
        static unsigned spread[MINUTES], classic[MINUTES];
        uint64_t seed = 1;

        if (argc > 1 && text_to_u64(argv[1], UINT64_MAX, &seed) < 0) {
                fprintf(stderr, "Usage: schedule [SEED] [minutes]\n");
                return 2;
        }
        for (unsigned i = 0; i < CLIENTS; i++) {
                client_run(0, &seed, spread);
                client_run(CONFIG_FIRST_CLASSIC, &seed, classic);
        }

        for (size_t i = 0; argc > 2 && i < MINUTES; i++)
                printf("%zu %u %u\n", i, spread[i], classic[i]);
        printf("%d clients, six hours after a common power-on, requests per minute, peak/mean:\n",
               CLIENTS);
        printf("spread   %.2f (wanted: at most %.1f)\n", peak_over_mean(spread), PROMISED);
        printf("classic  %.2f\n", peak_over_mean(classic));
        return peak_over_mean(spread) <= PROMISED ? 0 : 1;
}
