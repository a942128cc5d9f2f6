#include "locksmith/strategy.h"
#include "unit/unit.h"

#define L STRATEGY_ETCD_LOCK
#define R STRATEGY_REBOOT
#define B STRATEGY_BEST_EFFORT

#define CLEARED .to_lock = CLEARANCE_GIVEN

static const struct {
        Strategy strategy;
        Facts facts;
        Action action;
} situations[] = {
        { L, {}, ACTION_WAIT_FOR_DAEMON },

        /* without the bus nobody can be asked, and no lock is kept */
        { L, { .lock = LOCK_STATE_HELD, .window_open = true }, ACTION_RELEASE },
        { L, { .lock = LOCK_STATE_WANTED, .window_open = true }, ACTION_RELEASE },
        { L, { .lock = LOCK_STATE_RELEASING }, ACTION_WAIT_FOR_DAEMON },
        { L, { .lock = LOCK_STATE_FREE }, ACTION_WAIT_FOR_DAEMON },
        { L, { .lock = LOCK_STATE_HELD, .rebooting = true }, ACTION_WAIT_FOR_REBOOT },

        /* after the boot: the old lock goes only when what runs is good */
        { L, { .update = UPDATE_NONE, .window_open = true }, ACTION_CHECK_SLOT },
        { L, { .update = UPDATE_NONE, .slot_good = true }, ACTION_CHECK_MEMBER },
        { L, { .update = UPDATE_NONE, .member_good = true }, ACTION_CHECK_SLOT },
        { L, { .update = UPDATE_NONE, .slot_good = true, .member_good = true }, ACTION_RELEASE },
        { L, { .update = UPDATE_NONE, .lock = LOCK_STATE_RELEASING }, ACTION_WAIT_FOR_RELEASE },
        { L, { .update = UPDATE_NONE, .lock = LOCK_STATE_FREE }, ACTION_WAIT_FOR_UPDATE },
        { R, { .update = UPDATE_NONE }, ACTION_WAIT_FOR_UPDATE },

        /* due */
        { R, { .update = UPDATE_DUE, .window_open = true }, ACTION_ASK_CLEARANCE },
        { R,
          { .update = UPDATE_DUE, .window_open = true, .to_lock = CLEARANCE_ASKING },
          ACTION_WAIT_FOR_CLEARANCE },
        { R, { .update = UPDATE_DUE, .window_open = true, CLEARED }, ACTION_DRAIN },
        { R,
          { .update = UPDATE_DUE, .window_open = true, CLEARED, .to_reboot = CLEARANCE_GIVEN },
          ACTION_REBOOT },
        { R, { .update = UPDATE_DUE }, ACTION_WAIT_FOR_WINDOW },
        { L, { .update = UPDATE_DUE, .window_open = true }, ACTION_ASK_CLEARANCE },
        { L, { .update = UPDATE_DUE, .window_open = true, CLEARED }, ACTION_TAKE },
        { L,
          { .update = UPDATE_DUE, .window_open = true, CLEARED, .lock = LOCK_STATE_FREE },
          ACTION_TAKE },
        { L,
          { .update = UPDATE_DUE, .window_open = true, CLEARED, .lock = LOCK_STATE_WANTED },
          ACTION_WAIT_FOR_LOCK },
        { L,
          { .update = UPDATE_DUE, .window_open = true, CLEARED, .lock = LOCK_STATE_RELEASING },
          ACTION_WAIT_FOR_RELEASE },
        { L,
          { .update = UPDATE_DUE, .window_open = true, CLEARED, .lock = LOCK_STATE_HELD },
          ACTION_DRAIN },
        { L,
          { .update = UPDATE_DUE,
            .window_open = true,
            CLEARED,
            .to_reboot = CLEARANCE_ASKING,
            .lock = LOCK_STATE_HELD },
          ACTION_WAIT_FOR_DRAIN },
        { L,
          { .update = UPDATE_DUE,
            .window_open = true,
            CLEARED,
            .to_reboot = CLEARANCE_GIVEN,
            .lock = LOCK_STATE_HELD },
          ACTION_REBOOT },

        /* somebody does not agree: the lock is never held for that */
        { L,
          { .update = UPDATE_DUE,
            .window_open = true,
            .to_lock = CLEARANCE_REFUSED,
            .lock = LOCK_STATE_HELD },
          ACTION_RELEASE },
        { L,
          { .update = UPDATE_DUE,
            .window_open = true,
            .to_lock = CLEARANCE_REFUSED,
            .lock = LOCK_STATE_FREE },
          ACTION_WAIT_FOR_CLEARANCE },
        { L,
          { .update = UPDATE_DUE,
            .window_open = true,
            .to_lock = CLEARANCE_ASKING,
            .slot_good = true,
            .member_good = true },
          ACTION_RELEASE },

        /* the window closes in between, the update is gone, the reboot was refused: never
           keep it for nothing */
        { L, { .update = UPDATE_DUE, .lock = LOCK_STATE_WANTED }, ACTION_RELEASE },
        { L, { .update = UPDATE_DUE, .lock = LOCK_STATE_HELD }, ACTION_RELEASE },
        { L,
          { .update = UPDATE_NONE, .window_open = true, .lock = LOCK_STATE_HELD },
          ACTION_RELEASE },
        { L,
          { .update = UPDATE_DUE,
            .window_open = true,
            .lock = LOCK_STATE_HELD,
            .backing_off = true },
          ACTION_RELEASE },
        { L,
          { .update = UPDATE_DUE,
            .window_open = true,
            .lock = LOCK_STATE_FREE,
            .backing_off = true },
          ACTION_WAIT_FOR_RETRY },

        /* closed window at the start, with a lock that may be ours: as after a boot */
        { L, { .update = UPDATE_DUE }, ACTION_CHECK_SLOT },
        { L, { .update = UPDATE_DUE, .slot_good = true, .member_good = true }, ACTION_RELEASE },
        { L, { .update = UPDATE_DUE, .lock = LOCK_STATE_FREE }, ACTION_WAIT_FOR_WINDOW },

        /* on its way */
        { L,
          { .update = UPDATE_DUE, .lock = LOCK_STATE_HELD, .rebooting = true },
          ACTION_WAIT_FOR_REBOOT },

        /* best effort: a host that ever saw an etcd is one with the lock */
        { B, { .update = UPDATE_NONE }, ACTION_ASK_ETCD },
        { B, { .update = UPDATE_NONE, .etcd_asked = true }, ACTION_WAIT_FOR_UPDATE },
        { B, { .update = UPDATE_DUE, .window_open = true }, ACTION_ASK_ETCD },
        { B,
          { .update = UPDATE_DUE, .window_open = true, .etcd_asked = true, CLEARED },
          ACTION_DRAIN },
        { B,
          { .update = UPDATE_DUE,
            .window_open = true,
            .etcd_asked = true,
            .etcd_seen = true,
            CLEARED },
          ACTION_TAKE },
        { B, { .update = UPDATE_NONE, .etcd_seen = true }, ACTION_CHECK_SLOT },

        { STRATEGY_OFF,
          { .update = UPDATE_DUE, .window_open = true, .lock = LOCK_STATE_FREE },
          ACTION_WAIT_FOR_RETRY },
};

static void test_every_situation_has_its_action(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(situations); i++)
                assert_int_equal(strategy_next(situations[i].strategy, &situations[i].facts),
                                 situations[i].action);
}

static void test_the_words_are_exact(_unused_ void **state)
{
        assert_int_equal(strategy_from_string("etcd-lock"), STRATEGY_ETCD_LOCK);
        assert_int_equal(strategy_from_string("best-effort"), STRATEGY_BEST_EFFORT);
        assert_true(strategy_from_string("Reboot") < 0);
        assert_true(strategy_from_string("") < 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_situation_has_its_action),
                cmocka_unit_test(test_the_words_are_exact),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
