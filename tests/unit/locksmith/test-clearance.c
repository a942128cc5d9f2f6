#include "locksmith/clearance.h"
#include "unit/unit.h"

static void test_users_hear_of_it_at_5_min_and_1_min(_unused_ void **state)
{
        static const struct {
                usec_t left, step;
        } table[] = {
                { 30 * USEC_PER_MINUTE, 25 * USEC_PER_MINUTE },
                { 5 * USEC_PER_MINUTE, 4 * USEC_PER_MINUTE },
                { 2 * USEC_PER_MINUTE, 1 * USEC_PER_MINUTE },
                { 1 * USEC_PER_MINUTE, 1 * USEC_PER_MINUTE },
                { 3 * USEC_PER_SEC, 3 * USEC_PER_SEC },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_int_equal(clearance_grace_step(table[i].left), table[i].step);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_users_hear_of_it_at_5_min_and_1_min),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
