#include <stdatomic.h>

#include "payload/pool.h"
#include "unit/unit.h"

#define N_JOBS 1000

typedef struct Square {
        PoolJob job;
        unsigned number;
        unsigned result;
} Square;

static void square_work(PoolJob *job)
{
        Square *square = (Square *)job;
        volatile unsigned spin = square->number % 7 * 1000; /* so that later jobs overtake */

        while (spin > 0)
                spin--;
        square->result = square->number * square->number;
}

static void run_squares(unsigned n_threads)
{
        _cleanup_(pool_free_p) Pool *pool = NULL;
        Square *squares = calloc(N_JOBS, sizeof(*squares));

        assert_non_null(squares);
        assert_int_equal(pool_new(n_threads, square_work, &pool), 0);
        assert_null(pool_take(pool));
        for (unsigned i = 0; i < N_JOBS; i++) {
                squares[i].number = i;
                pool_submit(pool, &squares[i].job);
        }
        for (unsigned i = 0; i < N_JOBS; i++) {
                Square *square = (Square *)pool_take(pool);

                assert_ptr_equal(square, &squares[i]);
                assert_int_equal(square->result, i * i);
        }
        assert_null(pool_take(pool));
        free(squares);
}

static void test_jobs_come_back_done_and_in_order(_unused_ void **state)
{
        run_squares(0);
        run_squares(1);
        run_squares(2);
        run_squares(8);
}

static void test_a_pool_can_be_freed_with_jobs_in_it(_unused_ void **state)
{
        Square squares[16] = {};
        Pool *pool;

        assert_int_equal(pool_new(3, square_work, &pool), 0);
        for (size_t i = 0; i < ELEMENTSOF(squares); i++)
                pool_submit(pool, &squares[i].job);
        assert_null(pool_free(pool));
}

/* How many work at once, and how many wait for something else. */
static Pool *limited;
static atomic_uint n_busy, n_busy_most, n_waiting_most, n_waiting;

static void most_raise(atomic_uint *most, unsigned n)
{
        unsigned was = atomic_load(most);

        while (was < n && !atomic_compare_exchange_weak(most, &was, n))
                ;
}

static void limited_work(PoolJob *job)
{
        most_raise(&n_busy_most, atomic_fetch_add(&n_busy, 1) + 1);
        square_work(job);
        atomic_fetch_sub(&n_busy, 1);
        pool_leave(limited);
        most_raise(&n_waiting_most, atomic_fetch_add(&n_waiting, 1) + 1);
        square_work(job);
        atomic_fetch_sub(&n_waiting, 1);
        pool_enter(limited);
}

static void test_no_more_jobs_are_begun_than_processors_may_be_busy(_unused_ void **state)
{
        Square *squares = calloc(N_JOBS, sizeof(*squares));

        assert_non_null(squares);
        assert_int_equal(pool_new(4, limited_work, &limited), 0);
        pool_limit(limited, 1);
        for (unsigned i = 0; i < N_JOBS; i++) {
                squares[i].number = i;
                pool_submit(limited, &squares[i].job);
        }
        for (unsigned i = 0; i < N_JOBS; i++) {
                pool_wait(limited, &squares[i].job);
                assert_ptr_equal(pool_take(limited), &squares[i].job);
        }
        assert_int_equal(n_busy_most, 1);
        assert_true(n_waiting_most >= 1);
        limited = pool_free(limited);
        free(squares);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_jobs_come_back_done_and_in_order),
                cmocka_unit_test(test_no_more_jobs_are_begun_than_processors_may_be_busy),
                cmocka_unit_test(test_a_pool_can_be_freed_with_jobs_in_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
