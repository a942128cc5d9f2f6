#include "locksmith/estimate.h"
#include "unit/unit.h"

/* How long hosts have held the lock, the latest last; 0: it is not known. */
typedef struct Times {
        int64_t held[32];
        size_t n;
} Times;

static void peers_make(const Times *times, Peer *peers, Peers *ret)
{
        for (size_t i = 0; i < times->n; i++)
                peers[i] = (Peer) { .record = { .held = times->held[i], .since = (int64_t)i + 1 } };
        *ret = (Peers) { peers, times->n };
}

static const struct {
        Times times;
        int64_t max, free;
        size_t before;
        int r;
        usec_t wait;
} estimates[] = {
        { { { 60 }, 1 }, 1, 1, 0, 0, 0 },                 /* its turn is now */
        { { { 60 }, 1 }, 1, 0, 0, 0, 60 * USEC_PER_SEC }, /* who holds it needs as long */
        { { { 60 }, 1 }, 1, 0, 4, 0, 300 * USEC_PER_SEC },
        { { { 60 }, 1 }, 5, 0, 4, 0, 60 * USEC_PER_SEC }, /* five at a time */
        { { { 60 }, 1 }, 5, 0, 5, 0, 120 * USEC_PER_SEC },
        { { { 60 }, 1 }, 5, 2, 1, 0, 0 },
        { { { 60 }, 1 }, 1, -2, 0, 0, 180 * USEC_PER_SEC },         /* two too many hold it */
        { { { 1000, 10, 20 }, 3 }, 1, 0, 0, 0, 20 * USEC_PER_SEC }, /* the median, not the mean */
        { { { 0, 0, 30 }, 3 }, 1, 0, 0, 0, 30 * USEC_PER_SEC },
        { { {}, 0 }, 1, 0, 0, -ENODATA, 0 }, /* nobody knows */
        { { { 0 }, 1 }, 1, 0, 3, -ENODATA, 0 },
        { { { 60 }, 1 }, 0, 0, 0, -ENODATA, 0 },                /* paused */
        { { { 60 }, 1 }, 1, 0, SIZE_MAX - 1, 0, ESTIMATE_MAX }, /* bounded */
        { { { INT64_MAX }, 1 }, 1, INT64_MIN + 1, 0, 0, ESTIMATE_MAX },
        /* only the last 20 count */
        { { { 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 5, 5, 5, 5, 5,
              5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5 },
            31 },
          1,
          0,
          0,
          0,
          5 * USEC_PER_SEC },
};

static void test_the_wait_is_the_median_times_the_turns(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(estimates); i++) {
                Semaphore semaphore = { .max = estimates[i].max, .free = estimates[i].free };
                Peer peers[32] = {};
                usec_t wait = 0;
                Peers hosts;

                print_message("# row %zu\n", i);
                peers_make(&estimates[i].times, peers, &hosts);
                assert_int_equal(estimate_wait(&hosts, &semaphore, estimates[i].before, &wait),
                                 estimates[i].r);
                assert_true(wait == estimates[i].wait);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_wait_is_the_median_times_the_turns),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
