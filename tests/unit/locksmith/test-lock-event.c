#include "base/io.h"
#include "locksmith/lock-event.h"
#include "locksmith/lock-metrics.h"
#include "unit/unit.h"

/* Each event has an id of its own, and each id has an entry in the catalog. */
static void test_every_event_is_in_the_catalog(_unused_ void **state)
{
        _cleanup_free_ char *catalog = NULL;

        assert_int_equal(file_read(getenv("SLUICE_SOURCE"),
                                   "/locksmith/units/sluice-locksmith.catalog", IO_SMALL_FILE_MAX,
                                   &catalog, NULL),
                         0);
        for (int i = 0; i < _LOCK_EVENT_MAX; i++) {
                const char *id = lock_event_message_id((LockEvent)i), *found;

                assert_int_equal(strlen(id), 32);
                assert_int_equal(strspn(id, "0123456789abcdef"), 32);
                found = strstr(catalog, id);
                assert_non_null(found);
                assert_null(strstr(found + 1, id));
        }
}

static void test_the_metrics_are_prometheus_format(_unused_ void **state)
{
        LockMetrics metrics = {
                .strategy = "etcd-lock",
                .group = "a\"b\\c",
                .state = "running",
                .due = true,
                .due_since = 1795353675,
                .n_refused = 2,
        };
        _cleanup_free_ char *text = NULL;

        assert_int_equal(lock_metrics_print(&metrics, &text), 0);
        assert_non_null(strstr(text, "\nsluice_reboot_info{strategy=\"etcd-lock\",group="
                                     "\"a\\\"b\\\\c\",state=\"running\"} 1\n"));
        assert_non_null(strstr(text, "\nsluice_reboot_due 1\n"));
        assert_non_null(strstr(text, "\nsluice_reboot_due_since_timestamp_seconds 1795353675\n"));
        assert_non_null(strstr(text, "\nsluice_reboot_lock_held 0\n"));
        assert_non_null(strstr(text, "\nsluice_reboot_requests_total{answer=\"refused\"} 2\n"));
        assert_null(strstr(text, "last_duration")); /* none is known */
        assert_int_equal(text[strlen(text) - 1], '\n');
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_event_is_in_the_catalog),
                cmocka_unit_test(test_the_metrics_are_prometheus_format),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
