#include "health.h"
#include "unit/unit.h"

#define PASSED .target = HEALTH_TARGET_REACHED, .hooks = HEALTH_HOOKS_PASSED
#define ILL    .target = HEALTH_TARGET_REACHED, .hooks = HEALTH_HOOKS_FAILED
#define LATE   .target = HEALTH_TARGET_FAILED
#define REBOOT .failure = HEALTH_FAILURE_REBOOT

static const struct {
        HealthFacts facts;
        HealthAction action;
} situations[] = {
        /* the target comes first, then the checks */
        { { .target = HEALTH_TARGET_WAITED_FOR }, HEALTH_WAIT },
        { { .target = HEALTH_TARGET_WAITED_FOR, .hooks = HEALTH_HOOKS_PASSED }, HEALTH_WAIT },
        { { .target = HEALTH_TARGET_WAITED_FOR, .hooks = HEALTH_HOOKS_FAILED, REBOOT },
          HEALTH_WAIT },
        { { .target = HEALTH_TARGET_REACHED }, HEALTH_RUN_HOOKS },
        { { .target = HEALTH_TARGET_NONE }, HEALTH_RUN_HOOKS },
        { { .target = HEALTH_TARGET_REACHED, .hooks = HEALTH_HOOKS_RUNNING }, HEALTH_WAIT },
        { { .target = HEALTH_TARGET_REACHED, .hooks = HEALTH_HOOKS_RUNNING, REBOOT }, HEALTH_WAIT },

        /* good is good, whatever was before, and whether there is a way back or not */
        { { PASSED }, HEALTH_MARK_GOOD },
        { { .target = HEALTH_TARGET_NONE, .hooks = HEALTH_HOOKS_PASSED }, HEALTH_MARK_GOOD },
        { { PASSED, REBOOT, .way_back = true }, HEALTH_MARK_GOOD },
        { { PASSED, REBOOT, .way_back = true, .went_back = true }, HEALTH_MARK_GOOD },

        /* ill: the tries are used up by the next boot … */
        { { ILL }, HEALTH_STAY },
        { { ILL, .way_back = true }, HEALTH_STAY },
        { { LATE, .way_back = true }, HEALTH_STAY },
        { { LATE, .hooks = HEALTH_HOOKS_PASSED, .way_back = true }, HEALTH_STAY },

        /* … or it is left at once, if the administrator wants that, … */
        { { ILL, REBOOT, .way_back = true }, HEALTH_GO_BACK },
        { { LATE, REBOOT, .way_back = true }, HEALTH_GO_BACK },

        /* … but never without a good slot to go to, and never twice */
        { { ILL, REBOOT }, HEALTH_STAY },
        { { LATE, REBOOT }, HEALTH_STAY },
        { { ILL, REBOOT, .way_back = true, .went_back = true }, HEALTH_STAY },
        { { LATE, REBOOT, .way_back = true, .went_back = true }, HEALTH_STAY },
};

static void test_what_follows_from_the_facts(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(situations); i++)
                assert_int_equal(health_next(&situations[i].facts), situations[i].action);
}

static void test_a_reboot_is_always_from_ill_to_good_and_once(_unused_ void **state)
{
        for (unsigned bits = 0; bits < 128; bits++) {
                HealthFacts facts = {
                        .target = (HealthTarget)(bits & 3),
                        .hooks = (HealthHooks)(bits >> 2 & 3),
                        .failure = (HealthFailure)(bits >> 4 & 1),
                        .way_back = bits & 32,
                        .went_back = bits & 64,
                };
                bool ill = facts.target == HEALTH_TARGET_FAILED
                           || (facts.target != HEALTH_TARGET_WAITED_FOR
                               && facts.hooks == HEALTH_HOOKS_FAILED);
                HealthAction action = health_next(&facts);

                assert_true(ill == (action == HEALTH_STAY || action == HEALTH_GO_BACK));
                if (action == HEALTH_GO_BACK)
                        assert_true(facts.way_back && !facts.went_back
                                    && facts.failure == HEALTH_FAILURE_REBOOT);
                if (action == HEALTH_MARK_GOOD)
                        assert_int_equal(facts.hooks, HEALTH_HOOKS_PASSED);
        }
}

static void test_a_way_back_is_a_good_slot_with_priority(_unused_ void **state)
{
        Slots slots = { .gpt = { .n_partitions = 2 }, .running = 0, .target = 1 };

        assert_false(health_has_way_back(&slots));
        slots.target_state = (BootState) { .good = true }; /* once, and made unselectable since */
        assert_false(health_has_way_back(&slots));
        slots.target_state = (BootState) { .priority = 1, .tries = 1 };
        assert_false(health_has_way_back(&slots));
        slots.target_state = (BootState) { .priority = 1, .good = true };
        assert_true(health_has_way_back(&slots));
        slots.target = SLOT_NONE;
        assert_false(health_has_way_back(&slots));
        slots.target = 1;
        slots.gpt.n_partitions = 0;
        assert_false(health_has_way_back(&slots));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_follows_from_the_facts),
                cmocka_unit_test(test_a_reboot_is_always_from_ill_to_good_and_once),
                cmocka_unit_test(test_a_way_back_is_a_good_slot_with_priority),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
