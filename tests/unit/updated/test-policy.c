#include "policy.h"
#include "unit/unit.h"

static void test_versions(_unused_ void **state)
{
        static const struct {
                VersionPolicy policy;
                const char *version;
                const char *refusal; /* a part of the sentence, or NULL */
        } table[] = {
                { { .running = "2.0" }, "2.0", NULL },
                { { .running = "2.0" }, "2.1", NULL },
                { { .running = "2.9" }, "2.10", NULL },
                { { .running = "2.10" },
                  "2.9",
                  "version 2.9 is older than version 2.10, which runs here" },
                { { .running = "2.0", .downgrade = true }, "1.0", NULL },
                { { .running = "2.0", .highest = "3.0" }, "2.5", "3.0, which ran here before" },
                { { .running = "2.0", .highest = "3.0" }, "3.0", NULL },
                { { .running = "2.0", .highest = "3.0", .downgrade = true }, "2.5", NULL },
                { { .running = "2.0", .minimum = "1.5", .downgrade = true },
                  "1.4",
                  "older than 1.5, which is MINIMUM_VERSION" },
                { { .running = "2.0", .minimum = "1.5", .downgrade = true }, "1.5", NULL },
                { { .running = "2.0", .minimum = "3" }, "2.5", "MINIMUM_VERSION" },
                { { .running = "2.0", .minimum = "" }, "", NULL },
                { { .running = "2.0", .minimum = "1" }, "", "names no version" },
                { { .running = NULL }, "0", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(update_failure_done) UpdateFailure failure = {};
                int r = version_policy_check(&table[i].policy, table[i].version, &failure);

                if (r != (table[i].refusal ? -EPERM : 0))
                        fail_msg("case %zu: %d", i, r);
                if (table[i].refusal) {
                        assert_non_null(strstr(update_failure_text(&failure), table[i].refusal));
                        assert_int_equal(omaha_error_number(&failure), 35);
                }
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_versions),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
