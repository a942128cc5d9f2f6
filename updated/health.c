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

int health_mend(const Slots *slots)
{
        int r;

        if (!slots->gpt.wants_repair)
                return HEALTH_UNCHANGED;
        r = gpt_write_attributes(&slots->gpt);
        return r < 0 ? r : HEALTH_TABLE_MENDED;
}

int health_confirm(Slots *slots)
{
        int r;

        if (slots_running_is_good(slots))
                return health_mend(slots);

        slots_set_running_good(slots);
        r = gpt_write_attributes(&slots->gpt);
        return r < 0 ? r : HEALTH_MARKED_GOOD;
}

bool health_has_way_back(const Slots *slots)
{
        uint64_t other;

        if (slots->gpt.n_partitions == 0 || slots->target == SLOT_NONE)
                return false;
        other = slots->gpt.partitions[slots->target].attributes;
        return gpt_successful(other) && gpt_priority(other) > 0;
}

int health_refuse(Slots *slots)
{
        GptPartition *running = &slots->gpt.partitions[slots->running];

        running->attributes = gpt_with_tries(running->attributes, 0, false);
        return gpt_write_attributes(&slots->gpt);
}
