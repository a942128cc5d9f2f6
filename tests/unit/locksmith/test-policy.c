#include "locksmith/policy.h"
#include "unit/locksmith/bad.h"
#include "unit/unit.h"

static void test_a_share_is_rounded_down_but_never_to_nobody(_unused_ void **state)
{
        static const struct {
                unsigned percent;
                int64_t of;
                uint64_t known;
                int64_t max;
        } table[] = {
                { 10, 0, 40, 4 },
                { 10, 0, 49, 4 },
                { 10, 0, 9, 1 },
                { 10, 0, 0, 1 },
                { 1, 0, 5, 1 },
                { 100, 0, 7, 7 },
                { 33, 0, 100, 33 },
                { 33, 200, 5, 66 },
                { 50, 3, 1000, 1 },
                { 7, 0, 250, 17 },
                { 100, 0, INT64_MAX / 100, INT64_MAX / 100 },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                Policy policy = { .percent = table[i].percent, .of = table[i].of };

                assert_int_equal(policy_share(&policy, table[i].known), table[i].max);
        }
}

static void test_a_share_makes_the_max_but_does_not_end_a_pause(_unused_ void **state)
{
        _cleanup_(semaphore_done) Semaphore semaphore = SEMAPHORE_INITIAL;
        Policy policy = { .percent = 10 };

        assert_int_equal(policy_apply_share(&policy, 40, &semaphore), 1);
        assert_int_equal(semaphore.max, 4);
        assert_int_equal(semaphore.free, 4);
        semaphore.stored = semaphore.free;
        assert_int_equal(policy_apply_share(&policy, 40, &semaphore), 0);
        assert_int_equal(semaphore_set_max(&semaphore, 0), 1);
        assert_int_equal(policy_apply_share(&policy, 40, &semaphore), 0);
        assert_int_equal(semaphore.max, 0);
        assert_int_equal(policy_apply_share(&(Policy) {}, 40, &semaphore), 0);
}

static Failure failure(const char *id)
{
        return (Failure) {
                .id = (char *)id, .host = (char *)"web", .why = (char *)"gone", .since = 5
        };
}

static void test_the_budget_stops_the_fleet_when_it_is_used_up(_unused_ void **state)
{
        _cleanup_(policy_done) Policy policy = {};
        Failure a = failure("a"), b = failure("b"), c = failure("c");

        assert_int_equal(policy_count(&policy, NULL, 2), 0);
        assert_int_equal(policy_count(&policy, &a, 2), 1);
        assert_int_equal(policy_count(&policy, &a, 2), 0); /* the same host counts once */
        assert_null(policy.stopped.who);
        assert_int_equal(policy_count(&policy, &b, 2), 1);
        assert_non_null(policy.stopped.who);
        assert_string_equal(policy.stopped.reason,
                            "2 hosts have failed, and the budget is 2; last b (web): gone");
        assert_int_equal(policy_count(&policy, &c, 2), 1); /* it is told all the same */
        assert_int_equal(policy_n_failures(&policy), 3);
        assert_int_equal(policy_forgive(&policy, "a"), 0); /* too late: somebody has to look */
}

static void test_a_smaller_budget_counts_what_is_there_and_none_never_stops(_unused_ void **state)
{
        _cleanup_(policy_done) Policy policy = {};
        Failure a = failure("a");

        assert_int_equal(policy_count(&policy, &a, 0), 1);
        assert_null(policy.stopped.who);
        assert_int_equal(policy_count(&policy, NULL, 5), 0);
        assert_int_equal(policy_count(&policy, NULL, 1), 1);
        assert_non_null(policy.stopped.who);
}

static void test_who_comes_back_in_time_counts_no_more(_unused_ void **state)
{
        _cleanup_(policy_done) Policy policy = {};
        Failure a = failure("a");

        assert_int_equal(policy_count(&policy, &a, 2), 1);
        assert_int_equal(policy_forgive(&policy, "b"), 0);
        assert_int_equal(policy_forgive(&policy, "a"), 1);
        assert_int_equal(policy_n_failures(&policy), 0);
}

static void test_resuming_excuses_who_still_holds_the_lock(_unused_ void **state)
{
        _cleanup_(semaphore_done) Semaphore semaphore = SEMAPHORE_INITIAL;
        Deed deed = { .who = (char *)"core on web-1", .reason = (char *)"mended", .since = 7 };
        Failure a = failure("a"), b = failure("b");
        _cleanup_(policy_done) Policy policy = {};

        assert_int_equal(policy_resume(&policy, &semaphore, &deed), 0); /* nothing to end */
        assert_int_equal(semaphore_take(&semaphore, "a"), 1);
        assert_int_equal(policy_count(&policy, &a, 1), 1);
        assert_int_equal(policy_count(&policy, &b, 1), 1);
        assert_int_equal(policy_resume(&policy, &semaphore, &deed), 1);
        assert_null(policy.stopped.who);
        assert_string_equal(policy.resumed.reason, "mended");
        assert_int_equal(policy_n_failures(&policy), 0);
        assert_true(policy_has_failed(&policy, "a"));
        assert_false(policy_has_failed(&policy, "b"));
        assert_int_equal(policy_count(&policy, &a, 1),
                         0); /* the same failure does not stop it again */
        assert_null(policy.stopped.who);
        assert_int_equal(policy_count(&policy, &b, 1), 1); /* another one does */
        assert_non_null(policy.stopped.who);
        assert_int_equal(policy_end_excuse(&policy, "b"), 0);
        assert_int_equal(policy_end_excuse(&policy, "a"), 1);
        assert_false(policy_has_failed(&policy, "a"));
}

static void test_more_failures_than_fit_do_no_harm(_unused_ void **state)
{
        _cleanup_(policy_done) Policy policy = {}, again = {};
        _cleanup_free_ char *text = NULL;
        char id[16];

        for (int i = 0; i < POLICY_FAILURES_MAX + 5; i++) {
                Failure one = failure(id);

                assert_true(snprintf(id, sizeof(id), "%d", i) > 0);
                assert_int_equal(policy_count(&policy, &one, 0), i < POLICY_FAILURES_MAX);
        }
        assert_int_equal(policy_format(&policy, &text), 0);
        assert_int_equal(policy_parse(text, strlen(text), &again), 0);
        assert_int_equal(again.n_failures, POLICY_FAILURES_MAX);
}

static void test_a_policy_survives_being_written(_unused_ void **state)
{
        static const char text[] =
                "{\"percent\":10,\"of\":40,\"failures\":[{\"id\":\"a\",\"host\":\"web\",\"why\":\"gone\","
                "\"since\":5,\"excused\":true}],\"stopped\":{\"who\":\"w\",\"reason\":\"r\",\"since\":6},"
                "\"resumed\":{\"who\":\"x\",\"reason\":\"y\",\"since\":7},"
                "\"log\":[{\"who\":\"core on web-1\",\"reason\":\"set-max 3\",\"since\":8}]}";
        _cleanup_(policy_done) Policy policy = {};
        _cleanup_free_ char *again = NULL;

        assert_int_equal(policy_parse(text, strlen(text), &policy), 0);
        assert_int_equal(policy_format(&policy, &again), 0);
        assert_string_equal(again, text);
}

static void test_the_log_keeps_the_last_deeds_and_each_once(_unused_ void **state)
{
        _cleanup_(policy_done) Policy policy = {}, again = {};
        _cleanup_free_ char *text = NULL;

        for (int i = 0; i < POLICY_DEEDS_MAX + 5; i++) {
                Deed deed = { .who = (char *)"w", .reason = (char *)"set-max 3", .since = i };

                assert_int_equal(policy_note(&policy, &deed), 1);
                assert_int_equal(policy_note(&policy, &deed), 0); /* the answer got lost */
        }
        assert_int_equal(policy.n_deeds, POLICY_DEEDS_MAX);
        assert_int_equal(policy.deeds[0].since, 5);
        assert_int_equal(policy.deeds[POLICY_DEEDS_MAX - 1].since, POLICY_DEEDS_MAX + 4);
        assert_int_equal(policy_format(&policy, &text), 0);
        assert_int_equal(policy_parse(text, strlen(text), &again), 0);
        assert_int_equal(again.n_deeds, POLICY_DEEDS_MAX);
}

static LockText text_of(const char *text)
{
        return (LockText) { text, strlen(text), 1 };
}

/* One other group with two holders, and a limit. */
static const struct {
        const char *policy, *limit, *other;
        const char *held; /* in this group */
        const char *why;  /* NULL: it may be taken */
} verdicts[] = {
        { NULL, NULL, NULL, "[]", NULL },
        { "{}", "{\"max\":3}", "{\"max\":5,\"holders\":[\"x\",\"y\"]}", "[]", NULL },
        { "{}", "{\"max\":2}", "{\"max\":5,\"holders\":[\"x\",\"y\"]}", "[]",
          "2 of 2 slots of all groups together are held" },
        { "{}", "{\"max\":3}", "{\"max\":5,\"holders\":[\"x\",\"y\"]}", "[\"z\"]",
          "3 of 3 slots of all groups together are held" },
        { "{}", "{\"max\":9}", "nonsense", "[]",
          "the lock of another group can not be read, so that nobody knows how many hold one" },
        { "{}", NULL, "nonsense", "[]", NULL }, /* nobody asks for it */
        { "{}", "{\"max\":0}", NULL, "[]",
          "the limit on all groups can not be read: set it anew with locksmithctl set-max --global" },
        { "nonsense", NULL, NULL, "[]",
          "the policy of the group can not be read: see locksmithctl resume" },
        { "{\"stopped\":{\"who\":\"w\",\"reason\":\"so\"}}", NULL, NULL, "[]",
          "the fleet has stopped: so; when that is mended: locksmithctl resume --reason" },
};

static void test_who_may_take_the_lock(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(verdicts); i++) {
                _cleanup_(semaphore_done) Semaphore semaphore = {};
                _cleanup_(policy_view_done) PolicyView view = {};
                LockAround around = { .now = 9 };
                char document[128], why[POLICY_WHY_MAX] = "";
                const char *reason;
                LockText other;

                if (verdicts[i].policy)
                        around.policy = text_of(verdicts[i].policy);
                if (verdicts[i].limit)
                        around.limit = text_of(verdicts[i].limit);
                if (verdicts[i].other) {
                        other = text_of(verdicts[i].other);
                        around.others = &other;
                        around.n_others = 1;
                }
                (void)snprintf(document, sizeof(document), "{\"max\":9,\"holders\":%s}",
                               verdicts[i].held);
                print_message("# row %zu\n", i);
                assert_int_equal(semaphore_parse(document, strlen(document), &semaphore, &reason),
                                 0);
                assert_int_equal(policy_view_read(&around, &view), 0);
                assert_int_equal(policy_may_take(&view, &semaphore, why),
                                 verdicts[i].why ? -EBUSY : 0);
                assert_string_equal(why, verdicts[i].why ? verdicts[i].why : "");
        }
}

static int policy_refused(const char *data, size_t size)
{
        _cleanup_(policy_done) Policy policy = {};

        return policy_parse(data, size, &policy);
}

static void test_what_is_no_policy_is_refused(_unused_ void **state)
{
        bad_files_refused("policy", -EBADMSG, policy_refused);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_share_is_rounded_down_but_never_to_nobody),
                cmocka_unit_test(test_a_share_makes_the_max_but_does_not_end_a_pause),
                cmocka_unit_test(test_the_budget_stops_the_fleet_when_it_is_used_up),
                cmocka_unit_test(test_a_smaller_budget_counts_what_is_there_and_none_never_stops),
                cmocka_unit_test(test_who_comes_back_in_time_counts_no_more),
                cmocka_unit_test(test_resuming_excuses_who_still_holds_the_lock),
                cmocka_unit_test(test_more_failures_than_fit_do_no_harm),
                cmocka_unit_test(test_a_policy_survives_being_written),
                cmocka_unit_test(test_the_log_keeps_the_last_deeds_and_each_once),
                cmocka_unit_test(test_who_may_take_the_lock),
                cmocka_unit_test(test_what_is_no_policy_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
