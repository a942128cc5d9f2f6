#include "base/io.h"
#include "journal.h"
#include "metrics.h"
#include "unit/unit.h"

static void test_the_text_is_prometheus_format(_unused_ void **state)
{
        Metrics metrics = {
                .last_check = 1795353675,
                .version = "1.0 \"a\\b\"",
                .staged = "2.0",
        };
        _cleanup_free_ char *text = NULL;

        metrics.failures[UPDATE_ERROR_PAYLOAD_HASH] = 3;
        assert_int_equal(metrics_print(&metrics, &text), 0);
        assert_non_null(strstr(
                text, "\nsluice_update_info{version=\"1.0 \\\"a\\\\b\\\"\",staged=\"2.0\"} 1\n"));
        assert_non_null(strstr(text, "\nsluice_update_last_check_timestamp_seconds 1795353675\n"));
        assert_non_null(strstr(text, "\nsluice_update_failures_total{cause=\"payload-hash\"} 3\n"));
        assert_null(strstr(text, "last_success")); /* there was none yet */
        assert_int_equal(text[strlen(text) - 1], '\n');
}

/* Each event has an id of its own, and each id has an entry in the catalog. */
static void test_every_event_is_in_the_catalog(_unused_ void **state)
{
        _cleanup_free_ char *catalog = NULL;

        assert_int_equal(file_read(getenv("SLUICE_SOURCE"), "/updated/units/sluice-update.catalog",
                                   IO_SMALL_FILE_MAX, &catalog, NULL),
                         0);
        for (int i = 0; i < _JOURNAL_EVENT_MAX; i++) {
                const char *id = journal_message_id((JournalEvent)i), *found;

                assert_int_equal(strlen(id), 32);
                assert_int_equal(strspn(id, "0123456789abcdef"), 32);
                found = strstr(catalog, id);
                assert_non_null(found);
                assert_null(strstr(found + 1, id));
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_text_is_prometheus_format),
                cmocka_unit_test(test_every_event_is_in_the_catalog),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
