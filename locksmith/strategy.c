#include "strategy.h"

static const char *const strategy_table[_STRATEGY_MAX] = {
        [STRATEGY_REBOOT] = "reboot",
        [STRATEGY_ETCD_LOCK] = "etcd-lock",
        [STRATEGY_BEST_EFFORT] = "best-effort",
        [STRATEGY_OFF] = "off",
};
DEFINE_STRING_TABLE(strategy, Strategy);

bool strategy_needs_lock(Strategy strategy, bool etcd_seen)
{
        return strategy == STRATEGY_ETCD_LOCK || (strategy == STRATEGY_BEST_EFFORT && etcd_seen);
}

/* A broken etcd must not turn a cluster into unlocked reboots: only a host that never had one does
 * without. */
static bool must_ask_etcd(Strategy strategy, const Facts *facts)
{
        return strategy == STRATEGY_BEST_EFFORT && !facts->etcd_seen && !facts->etcd_asked;
}

static Action next_without_reboot(Strategy strategy, const Facts *facts)
{
        if (facts->lock == LOCK_STATE_RELEASING)
                return ACTION_WAIT_FOR_RELEASE;
        if (facts->lock == LOCK_STATE_WANTED || facts->lock == LOCK_STATE_HELD)
                return ACTION_RELEASE; /* never held while something else is in the way */
        if (must_ask_etcd(strategy, facts))
                return ACTION_ASK_ETCD;

        /* A host that came back ill keeps its slot, so that the others do not follow it. */
        if (strategy_needs_lock(strategy, facts->etcd_seen)
            && facts->lock == LOCK_STATE_NOT_KNOWN) {
                if (!facts->slot_good)
                        return ACTION_CHECK_SLOT;
                return facts->member_good ? ACTION_RELEASE : ACTION_CHECK_MEMBER;
        }

        if (facts->update != UPDATE_DUE)
                return ACTION_WAIT_FOR_UPDATE;
        if (!facts->window_open)
                return ACTION_WAIT_FOR_WINDOW;
        return strategy_may_reboot(strategy, facts) ? ACTION_WAIT_FOR_CLEARANCE
                                                    : ACTION_WAIT_FOR_RETRY;
}

/* Everything but the rest of the host agrees. */
static Action next_to_reboot(const Facts *facts)
{
        switch (facts->to_reboot) {
        case CLEARANCE_NOT_ASKED:
                return ACTION_DRAIN;
        case CLEARANCE_GIVEN:
                return ACTION_REBOOT;
        case CLEARANCE_ASKING:
        case CLEARANCE_REFUSED: /* the clearance to lock is taken back with it */
                return ACTION_WAIT_FOR_DRAIN;
        }
        return ACTION_WAIT_FOR_DRAIN;
}

static Action next_with_lock(const Facts *facts)
{
        switch (facts->lock) {
        case LOCK_STATE_NOT_KNOWN:
        case LOCK_STATE_FREE:
                return ACTION_TAKE;
        case LOCK_STATE_WANTED:
                return ACTION_WAIT_FOR_LOCK;
        case LOCK_STATE_HELD:
                return next_to_reboot(facts);
        case LOCK_STATE_RELEASING:
                return ACTION_WAIT_FOR_RELEASE;
        }
        return ACTION_WAIT_FOR_LOCK;
}

bool strategy_may_reboot(Strategy strategy, const Facts *facts)
{
        return strategy != STRATEGY_OFF && facts->update == UPDATE_DUE && facts->window_open
               && !facts->backing_off;
}

Action strategy_next(Strategy strategy, const Facts *facts)
{
        if (facts->rebooting)
                return ACTION_WAIT_FOR_REBOOT;
        if (facts->update == UPDATE_NOT_KNOWN) /* not known any more: the bus was lost */
                return facts->lock == LOCK_STATE_WANTED || facts->lock == LOCK_STATE_HELD
                               ? ACTION_RELEASE
                               : ACTION_WAIT_FOR_DAEMON;
        if (!strategy_may_reboot(strategy, facts))
                return next_without_reboot(strategy, facts);

        if (must_ask_etcd(strategy, facts))
                return ACTION_ASK_ETCD;
        if (facts->to_lock == CLEARANCE_NOT_ASKED)
                return ACTION_ASK_CLEARANCE;
        if (facts->to_lock != CLEARANCE_GIVEN)
                return next_without_reboot(strategy, facts);
        return strategy_needs_lock(strategy, facts->etcd_seen) ? next_with_lock(facts)
                                                               : next_to_reboot(facts);
}
