#include "base/io.h"
#include "locksmith/pause.h"
#include "locksmith/record.h"
#include "unit/locksmith/bad.h"
#include "unit/unit.h"

static void file_write(const char *root, const char *path, const char *text)
{
        assert_int_equal(file_replace(root, path, text, strlen(text), 0644), 0);
}

static void test_a_host_describes_itself(_unused_ void **state)
{
        _cleanup_(record_done) Record record = {}, again = {};
        _cleanup_free_ char *text = NULL;
        char *root = directory_make();

        file_write(root, "/etc/hostname", "web-7\n");
        file_write(root, "/proc/sys/kernel/random/boot_id",
                   "75a7ffcc-e69b-4cc3-8b41-c4ac26164f44\n");
        file_write(root, "/etc/os-release", "VERSION_ID=12\n");
        file_write(root, "/usr/share/coreos/release", "COREOS_RELEASE_VERSION=4000.1.0\n");
        assert_int_equal(record_of_host(root, "update", "4001.0.0", &record), 0);
        assert_int_equal(record_format(&record, &text), 0);
        assert_int_equal(record_parse(text, strlen(text), &again), 0);
        assert_string_equal(again.host, "web-7");
        assert_string_equal(again.boot_id, "75a7ffcc-e69b-4cc3-8b41-c4ac26164f44");
        assert_string_equal(again.from_version, "4000.1.0");
        assert_string_equal(again.to_version, "4001.0.0");
        assert_string_equal(again.reason, "update");
        assert_true(again.since > 0);
        directory_remove(root);
}

static void test_what_is_not_there_stays_out(_unused_ void **state)
{
        _cleanup_(record_done) Record record = {}, empty = {};
        char *root = directory_make();

        assert_int_equal(record_of_host(root, "", NULL, &record), 0);
        assert_string_equal(record.host, "");
        assert_string_equal(record.from_version, "");
        assert_int_equal(record_parse("{}", 2, &empty), 0);
        assert_string_equal(empty.host, "");
        assert_int_equal(empty.since, 0);
        directory_remove(root);
}

static void test_texts_of_others_can_be_shown(_unused_ void **state)
{
        static const char text[] = "{\"host\":\"\\u001b[2Ja\\nb\",\"since\":-5}";
        _cleanup_(record_done) Record record = {};

        assert_int_equal(record_parse(text, strlen(text), &record), 0);
        assert_string_equal(record.host, "?[2Ja b");
        assert_int_equal(record.since, 0);
}

static void test_a_host_name_that_is_no_text_does_no_harm(_unused_ void **state)
{
        _cleanup_(record_done) Record record = {};
        _cleanup_free_ char *text = NULL;
        char *root = directory_make();

        file_write(root, "/etc/hostname", "a\xff\x1b");
        assert_int_equal(record_of_host(root, "\xc3", "2", &record), 0);
        assert_string_equal(record.host, "a??");
        assert_int_equal(record_format(&record, &text), 0);
        directory_remove(root);
}

static int parse_record(const char *data, size_t size)
{
        Record record;

        return record_parse(data, size, &record);
}

static int parse_pause(const char *data, size_t size)
{
        Pause pause;

        return pause_parse(data, size, &pause);
}

static void test_what_is_no_record_is_refused(_unused_ void **state)
{
        bad_files_refused("record", -EBADMSG, parse_record);
}

static void test_what_is_no_pause_is_refused(_unused_ void **state)
{
        bad_files_refused("record", -EBADMSG, parse_pause);
        bad_files_refused("pause", -EBADMSG, parse_pause);
}

static void test_a_pause_remembers_what_max_was(_unused_ void **state)
{
        _cleanup_(pause_done) Pause again = {};
        _cleanup_free_ char *text = NULL;
        char host[] = "web-7", reason[] = "\"why\"";

        assert_int_equal(
                pause_format(&(Pause) { .max = 3, .host = host, .reason = reason, .since = 9 },
                             &text),
                0);
        assert_int_equal(pause_parse(text, strlen(text), &again), 0);
        assert_int_equal(again.max, 3);
        assert_string_equal(again.host, "web-7");
        assert_string_equal(again.reason, "\"why\"");
}

static void test_only_a_host_that_went_down_can_be_overdue(_unused_ void **state)
{
        static char update[] = RECORD_REASON_UPDATE, by_hand[] = "lock",
                    reboot[] = RECORD_REASON_REBOOT;
        static const struct {
                char *reason;
                int64_t since;
                usec_t limit;
                bool late;
        } table[] = {
                { update, 1000, 10 * USEC_PER_SEC, true },
                { reboot, 1000, 10 * USEC_PER_SEC, true },
                { by_hand, 1000, 10 * USEC_PER_SEC, false },
                { update, 1990, 10 * USEC_PER_SEC, false }, /* just now */
                { update, 1989, 10 * USEC_PER_SEC, true },
                { update, 3000, 10 * USEC_PER_SEC, false }, /* of the future: a wrong clock */
                { update, INT64_MAX, 10 * USEC_PER_SEC, false },
                { update, 0, 10 * USEC_PER_SEC, false }, /* not said */
                { update, 1000, 0, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_int_equal(record_is_late(&(Record) { .reason = table[i].reason,
                                                            .since = table[i].since },
                                                2000 * USEC_PER_SEC, table[i].limit),
                                 table[i].late);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_host_describes_itself),
                cmocka_unit_test(test_what_is_not_there_stays_out),
                cmocka_unit_test(test_texts_of_others_can_be_shown),
                cmocka_unit_test(test_a_host_name_that_is_no_text_does_no_harm),
                cmocka_unit_test(test_what_is_no_record_is_refused),
                cmocka_unit_test(test_what_is_no_pause_is_refused),
                cmocka_unit_test(test_only_a_host_that_went_down_can_be_overdue),
                cmocka_unit_test(test_a_pause_remembers_what_max_was),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
