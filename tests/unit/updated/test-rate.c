#include "rate.h"
#include "unit/unit.h"

static void test_before_a_second_nothing_is_known(_unused_ void **state)
{
        Rate rate = {};

        rate_update(&rate, 0, 1);
        rate_update(&rate, 1000, USEC_PER_SEC / 2);
        assert_int_equal(rate.per_second, 0);
        assert_int_equal(rate_time_left(&rate, 1000, 5000), 0);
}

static void test_a_steady_stream_is_told_as_it_is(_unused_ void **state)
{
        Rate rate = {};

        for (uint64_t i = 0; i <= 20; i++)
                rate_update(&rate, i * 1000, 1 + i * USEC_PER_SEC);
        assert_int_equal(rate.per_second, 1000);
        assert_int_equal(rate_time_left(&rate, 20000, 25000), 6);
        assert_int_equal(rate_time_left(&rate, 25000, 25000), 0);
        assert_int_equal(rate_time_left(&rate, 20000, 0), 0);
}

static void test_a_new_beginning_forgets(_unused_ void **state)
{
        Rate rate = {};

        rate_update(&rate, 0, 1);
        rate_update(&rate, 5000, 1 + USEC_PER_SEC);
        assert_int_equal(rate.per_second, 5000);
        rate_update(&rate, 100, 2 * USEC_PER_SEC); /* fetched again from its first byte */
        assert_int_equal(rate.per_second, 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_before_a_second_nothing_is_known),
                cmocka_unit_test(test_a_steady_stream_is_told_as_it_is),
                cmocka_unit_test(test_a_new_beginning_forgets),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
