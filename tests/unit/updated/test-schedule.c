#include "host.h"
#include "schedule.h"
#include "unit/unit.h"

#define MIN USEC_PER_MINUTE

static void test_waits_stay_within_their_bounds(_unused_ void **state)
{
        static const struct {
                Schedule schedule;
                usec_t least, most;
        } table[] = {
                { { .first = 7 * MIN, .interval = 45 * MIN }, 2 * MIN, 12 * MIN },
                { { .first = 7 * MIN, .interval = 45 * MIN, .last = 1 }, 40 * MIN, 50 * MIN },
                { { .interval = 45 * MIN, .last = 1, .poll_interval = 60 }, 40 * MIN, 50 * MIN },
                { { .interval = 45 * MIN, .last = 1, .poll_interval = 7200 }, 60 * MIN, 180 * MIN },
                { { .interval = 45 * MIN, .last = 1, .poll_interval = UINT64_MAX },
                  120 * MIN,
                  360 * MIN },
                { { .interval = 45 * MIN, .last = 45 * MIN, .server_busy = true },
                  45 * MIN,
                  135 * MIN },
                { { .interval = 45 * MIN, .last = 200 * MIN, .server_busy = true },
                  120 * MIN,
                  240 * MIN },
                { { .interval = 45 * MIN, .last = USEC_INFINITY, .server_busy = true },
                  120 * MIN,
                  240 * MIN },
                { { .first = 1, .interval = 1 }, 1, 1 },
                { { .interval = 45 * MIN, .last = 1, .retry_after = 7200 }, 120 * MIN, 120 * MIN },
                { { .interval = 45 * MIN, .last = 1, .retry_after = 60 }, 40 * MIN, 50 * MIN },
                { { .interval = 45 * MIN, .last = 1, .retry_after = UINT64_MAX },
                  240 * MIN,
                  240 * MIN },
                { { .first = USEC_PER_SEC, .interval = 2 * USEC_PER_SEC },
                  285 * USEC_PER_MSEC,
                  1715 * USEC_PER_MSEC },
                { { .interval = 2 * USEC_PER_SEC, .last = 1 },
                  1777 * USEC_PER_MSEC,
                  2223 * USEC_PER_MSEC },
        };
        static const uint64_t chances[] = { 0, 1, 12345678901234567, UINT64_MAX / 2, UINT64_MAX };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                for (size_t k = 0; k < ELEMENTSOF(chances); k++) {
                        Schedule schedule = table[i].schedule;
                        usec_t wait;

                        schedule.chance = chances[k];
                        wait = schedule_next(&schedule);
                        if (wait < table[i].least || wait > table[i].most)
                                fail_msg("case %zu: %llu", i, (unsigned long long)wait);
                }
}

static void test_chance_reaches_both_ends(_unused_ void **state)
{
        Schedule schedule = { .first = 7 * MIN, .chance = 0 };

        assert_int_equal(schedule_next(&schedule), 2 * MIN);
        schedule.chance = 10 * MIN;
        assert_int_equal(schedule_next(&schedule), 12 * MIN);
}

static void test_each_host_has_its_own_first_place(_unused_ void **state)
{
        Schedule schedule = { .interval = 45 * MIN, .place = 0 };
        unsigned minutes[46] = {};

        assert_int_equal(schedule_next(&schedule), 2 * MIN);
        for (int i = 0; i < 46000; i++) {
                char id[33];
                const Host host = { .machine_id = id };

                snprintf(id, sizeof(id), "%032x", (unsigned)i); /* ids may be this much alike */
                schedule.place = host_place(&host);
                schedule.chance = (uint64_t)i;
                assert_true(schedule_next(&schedule) >= 2 * MIN);
                assert_true(schedule_next(&schedule) <= 45 * MIN);
                minutes[schedule_next(&schedule) / MIN]++;
        }
        for (int i = 2; i < 45; i++)
                assert_in_range(minutes[i], 900, 1250); /* 1070 wanted */

        schedule.interval = USEC_PER_SEC; /* a lab: no two minutes then */
        assert_in_range(schedule_next(&schedule), USEC_PER_SEC / 2, USEC_PER_SEC);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_waits_stay_within_their_bounds),
                cmocka_unit_test(test_chance_reaches_both_ends),
                cmocka_unit_test(test_each_host_has_its_own_first_place),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
