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

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_jobs_come_back_done_and_in_order),
                cmocka_unit_test(test_a_pool_can_be_freed_with_jobs_in_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
