#include "plan.h"
#include "unit/unit.h"

static OmahaPackage package = { .name = (char *)"a.payload", .size = 100 };
static char *urls[] = { (char *)"http://a/x", (char *)"ftp://b/", (char *)"https://c/y/", NULL };

static OmahaResponse offer(void)
{
        return (OmahaResponse) {
                .verdict = OMAHA_UPDATE,
                .version = (char *)"2.0",
                .urls = { .items = urls, .n_items = 3 },
                .packages = &package,
                .n_packages = 1,
                .sha256 = { 0xab, 0xcd },
                .failures_per_url = 3,
        };
}

static GptPartition partitions[2] = {
        {
                .label = (char *)"USR-A",
        },
        { .label = (char *)"USR-B" },
};

static Slots pair(void)
{
        return (Slots) {
                .gpt = { .path = (char *)"disk", .partitions = partitions, .n_partitions = 2 },
                .running = 0,
                .target = 1,
                .running_state = { .priority = 1, .good = true },
        };
}

/* One decision: what comes in, and what it came to. */
typedef struct Decision {
        OmahaResponse response;
        Slots slots;
        PlanHistory history;
        UpdatePlan plan;
        char *reason;
        UpdateFailure failure;
} Decision;

static Decision decision_make(const char *running)
{
        return (Decision) {
                .response = offer(),
                .slots = pair(),
                .history = { .policy = { .running = running } },
        };
}

static void decision_done(Decision *d)
{
        update_plan_done(&d->plan);
        free(d->reason);
        update_failure_done(&d->failure);
}

static int decide(Decision *d)
{
        return plan_decide(&d->response, &d->slots, &d->history, &d->plan, &d->reason, &d->failure);
}

static void test_an_offer_becomes_a_plan(_unused_ void **state)
{
        _cleanup_(decision_done) Decision d = decision_make("1.0");

        assert_int_equal(decide(&d), 1);
        assert_string_equal(d.plan.version, "2.0");
        assert_int_equal(d.plan.size, 100);
        assert_int_equal(d.plan.urls.n_items, 2); /* ftp is nothing we fetch from */
        assert_string_equal(d.plan.urls.items[0], "http://a/x/a.payload");
        assert_string_equal(d.plan.urls.items[1], "https://c/y/a.payload");
}

static void test_what_is_no_news_is_no_failure(_unused_ void **state)
{
        static const char failed[] =
                "abcd000000000000000000000000000000000000000000000000000000000000";
        const struct {
                OmahaVerdict verdict;
                PlanHistory history;
        } table[] = {
                { OMAHA_NO_UPDATE, { { .running = "1.0" }, NULL, NULL } },
                { OMAHA_NOT_NOW, { { .running = "1.0" }, NULL, NULL } },
                { OMAHA_UPDATE, { { .running = "2.0" }, NULL, NULL } },
                { OMAHA_UPDATE, { { .running = "1.0" }, failed, NULL } },
                { OMAHA_UPDATE, { { .running = "1.0" }, failed, "1.5" } },
                { OMAHA_UPDATE, { { .running = "1.0" }, NULL, "2.0" } }, /* rolled back by hand */
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(decision_done) Decision d = decision_make("");

                d.response.verdict = table[i].verdict;
                d.history = table[i].history;
                assert_int_equal(decide(&d), 0);
                assert_non_null(d.reason);
                assert_int_equal(d.failure.code, UPDATE_ERROR_NONE);
        }
}

static void test_without_a_way_back_there_is_no_plan(_unused_ void **state)
{
        _cleanup_(decision_done) Decision d = decision_make("1.0");

        d.slots.target = SLOT_NONE;
        assert_true(decide(&d) < 0);
        assert_int_equal(d.failure.code, UPDATE_ERROR_SLOTS);

        d.slots.target = 1;
        d.slots.running_state.good = false;
        assert_int_equal(decide(&d), -EBUSY);
        assert_int_equal(d.failure.code, UPDATE_ERROR_SLOTS);
}

static void test_without_an_address_there_is_no_plan(_unused_ void **state)
{
        _cleanup_(decision_done) Decision d = decision_make("1.0");

        d.response.urls = (TextList) { .items = &urls[1], .n_items = 1 };
        assert_int_equal(decide(&d), -EBADMSG);
        assert_int_equal(d.failure.code, UPDATE_ERROR_ANSWER_INVALID);
}

static void test_older_versions_are_refused(_unused_ void **state)
{
        _cleanup_(decision_done) Decision d = decision_make("3.0");

        assert_int_equal(decide(&d), -EPERM);
        assert_int_equal(d.failure.code, UPDATE_ERROR_POLICY);
}

static void test_what_failed_is_known_by_its_hash_first(_unused_ void **state)
{
        _cleanup_(decision_done) Decision d = decision_make("1.0");

        /* the same version, built anew: it is another payload */
        d.history.failed_sha256 = "00";
        d.history.failed_version = "2.0";
        assert_int_equal(decide(&d), 1);
}

static void test_a_payload_of_an_operator_needs_a_way_back_too(_unused_ void **state)
{
        _cleanup_(update_failure_done) UpdateFailure failure = {};
        _cleanup_(update_plan_done) UpdatePlan plan = {}, read = {};
        _cleanup_free_ char *text = NULL;
        Slots slots = pair();

        assert_int_equal(plan_install(&slots, NULL, 100, &plan, &failure), 0);
        assert_int_equal(update_plan_print(&plan, &text), 0);
        assert_int_equal(update_plan_parse(text, &read), 0);
        assert_false(read.announced);
        assert_int_equal(read.urls.n_items, 0);
        assert_int_equal(read.size, 100);
        update_plan_done(&plan);

        slots.running_state.good = false;
        assert_int_equal(plan_install(&slots, "http://a/", 0, &plan, &failure), -EBUSY);
        slots.running_state.good = true;
        assert_int_equal(plan_install(&slots, "http://a/", 0, &plan, &failure), 0);
        assert_string_equal(plan.urls.items[0], "http://a/");
}

static void test_a_plan_survives_printing_and_parsing(_unused_ void **state)
{
        static const char *const versions[] = { "", "2.0", " a b ", "\"quoted\"", "'", "a=b#c;d" };

        for (size_t i = 0; i < ELEMENTSOF(versions); i++) {
                _cleanup_(update_plan_done) UpdatePlan read = {};
                _cleanup_free_ char *text = NULL;
                const UpdatePlan plan = {
                        .version = (char *)versions[i],
                        .urls = { .items = (char *[]) { (char *)"http://a/\"x\"",
                                                        (char *)"https://b/", NULL },
                                  .n_items = 2 },
                        .size = INT64_MAX,
                        .announced = true,
                        .sha256 = { 1, 2, 255 },
                        .failures_per_url = 7,
                        .target_offset = 4096,
                        .target_size = 8192,
                        .kernel_size_max = 77,
                        .now = 1,
                        .made_min = 2,
                        .transport = { .ca = (char *)"a\nb\n", .no_proxy = (char *)"x y" },
                };

                assert_int_equal(update_plan_print(&plan, &text), 0);
                assert_int_equal(update_plan_parse(text, &read), 0);
                assert_string_equal(read.version, versions[i]);
                assert_int_equal(read.urls.n_items, 2);
                assert_string_equal(read.urls.items[0], plan.urls.items[0]);
                assert_int_equal(read.size, plan.size);
                assert_memory_equal(read.sha256, plan.sha256, SHA256_SIZE);
                assert_int_equal(read.failures_per_url, 7);
                assert_int_equal(read.target_offset, 4096);
                assert_int_equal(read.target_size, 8192);
                assert_int_equal(read.kernel_size_max, 77);
                assert_int_equal(read.now, 1);
                assert_int_equal(read.made_min, 2);
                assert_string_equal(read.transport.ca, "a\nb\n");
                assert_string_equal(read.transport.no_proxy, "x y");
        }
}

#define SHA "SHA256=0000000000000000000000000000000000000000000000000000000000000000\n"
#define REST                                                                                     \
        "VERSION=\"1\"\nFAILURES_PER_URL=1\nTARGET_OFFSET=0\nTARGET_SIZE=1\nKERNEL_SIZE_MAX=9\n" \
        "CHECKPOINT=0\nNOW=0\nMADE_MIN=0\nHTTP_RATE_MAX=0\nHTTP_RATE_MIN=0\nHTTP_STALL=0\n"      \
        "HTTP_CONNECT_TIMEOUT=0\n"

static void test_bad_plans_are_refused(_unused_ void **state)
{
        static const char *const bad[] = {
                "",
                "PLAN=3\n",
                "PLAN=2\nSIZE=1\n" SHA REST "URL=\"http://a/\"\n",
                "PLAN=3\nSIZE=0\n" SHA REST "URL=\"http://a/\"\n",
                "PLAN=3\nSIZE=-1\n" SHA REST "URL=\"http://a/\"\n",
                "PLAN=3\nSIZE=9223372036854775808\n" SHA REST "URL=\"http://a/\"\n",
                "PLAN=3\nSIZE=1\nSHA256=00\n" REST "URL=\"http://a/\"\n",
                "PLAN=3\nSIZE=1\n" REST "URL=\"http://a/\"\n",
                "PLAN=3\nSIZE=1\nSHA256=000000000000000000000000000000000000000000000000000000000000000g\n" REST
                "URL=\"http://a/\"\n",
                "PLAN=3\nSIZE=1\n" SHA REST,
                "PLAN=3\nSIZE=0\nSHA256=none\n" REST,
                "PLAN=3\nSIZE=1\n" SHA REST "URL=\"file:///etc/passwd\"\n",
                "PLAN=3\nSIZE=1\n" SHA REST "URL=\"http://a/\"\nnonsense\n",
        };
        _cleanup_(update_plan_done) UpdatePlan good = {};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                UpdatePlan plan;

                if (update_plan_parse(bad[i], &plan) != -EBADMSG)
                        fail_msg("taken: %s", bad[i]);
        }
        assert_int_equal(
                update_plan_parse("PLAN=3\nSIZE=1\n" SHA REST "URL=\"http://a/\"\n", &good), 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_an_offer_becomes_a_plan),
                cmocka_unit_test(test_what_is_no_news_is_no_failure),
                cmocka_unit_test(test_older_versions_are_refused),
                cmocka_unit_test(test_what_failed_is_known_by_its_hash_first),
                cmocka_unit_test(test_a_payload_of_an_operator_needs_a_way_back_too),
                cmocka_unit_test(test_without_a_way_back_there_is_no_plan),
                cmocka_unit_test(test_without_an_address_there_is_no_plan),
                cmocka_unit_test(test_a_plan_survives_printing_and_parsing),
                cmocka_unit_test(test_bad_plans_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
