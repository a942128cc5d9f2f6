#include "health.h"

static const char *const health_failure_table[_HEALTH_FAILURE_MAX] = {
        [HEALTH_FAILURE_WAIT] = "wait",
        [HEALTH_FAILURE_REBOOT] = "reboot",
};
DEFINE_STRING_TABLE(health_failure, HealthFailure);

static HealthAction health_after_failure(const HealthFacts *facts)
{
        bool at_once = facts->failure == HEALTH_FAILURE_REBOOT;

        return at_once && facts->way_back && !facts->went_back ? HEALTH_GO_BACK : HEALTH_STAY;
}

static HealthAction health_after_target(const HealthFacts *facts)
{
        switch (facts->hooks) {
        case HEALTH_HOOKS_NOT_RUN:
                return HEALTH_RUN_HOOKS;
        case HEALTH_HOOKS_RUNNING:
                return HEALTH_WAIT;
        case HEALTH_HOOKS_PASSED:
                return HEALTH_MARK_GOOD;
        case HEALTH_HOOKS_FAILED:
                return health_after_failure(facts);
        }
        return HEALTH_WAIT;
}

HealthAction health_next(const HealthFacts *facts)
{
        switch (facts->target) {
        case HEALTH_TARGET_WAITED_FOR:
                return HEALTH_WAIT;
        case HEALTH_TARGET_FAILED:
                return health_after_failure(facts);
        case HEALTH_TARGET_NONE:
        case HEALTH_TARGET_REACHED:
                return health_after_target(facts);
        }
        return HEALTH_WAIT;
}

int health_confirm(Slots *slots)
{
        bool good = slots_running_is_good(slots);
        int r;

        if (good && !slots->wants_repair)
                return HEALTH_UNCHANGED;

        r = slots_mark_running_good(slots);
        if (r < 0)
                return r;
        return good ? HEALTH_TABLE_MENDED : HEALTH_MARKED_GOOD;
}

bool health_has_way_back(const Slots *slots)
{
        return slots->gpt.n_partitions > 0 && slots->target != SLOT_NONE && slots->target_state.good
               && slots->target_state.priority > 0;
}
