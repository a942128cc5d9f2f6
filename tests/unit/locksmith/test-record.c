#include "base/io.h"
#include "locksmith/pause.h"
#include "locksmith/record.h"
#include "unit/locksmith/bad.h"
#include "unit/unit.h"

static void test_a_host_describes_itself(_unused_ void **state)
{
        _cleanup_(record_done) Record record = {}, again = {};
        _cleanup_free_ char *text = NULL;
        char *root = directory_make();

        file_put(root, "/etc/hostname", "web-7\n");
        file_put(root, "/proc/sys/kernel/random/boot_id", "75a7ffcc-e69b-4cc3-8b41-c4ac26164f44\n");
        file_put(root, "/etc/os-release", "VERSION_ID=12\n");
        file_put(root, "/usr/share/coreos/release", "COREOS_RELEASE_VERSION=4000.1.0\n");
        assert_int_equal(record_of_host(root, "update", "4001.0.0", &record), 0);
        assert_int_equal(record_format(&record, &text), 0);
        assert_int_equal(record_parse(text, strlen(text), &again), 0);
        assert_string_equal(again.host, "web-7");
        assert_string_equal(again.boot_id, "75a7ffcc-e69b-4cc3-8b41-c4ac26164f44");
        assert_string_equal(again.from_version, "4000.1.0");
        assert_string_equal(again.to_version, "4001.0.0");
        assert_string_equal(again.reason, "update");
        assert_true(again.since > 0);
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

        file_put(root, "/etc/hostname", "a\xff\x1b");
        assert_int_equal(record_of_host(root, "\xc3", "2", &record), 0);
        assert_string_equal(record.host, "a??");
        assert_int_equal(record_format(&record, &text), 0);
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
        static const struct {
                int64_t departed, return_within, free_after;
                bool away, keep, late, gone;
        } table[] = {
                { 1000, 60, 0, false, false, true, false },
                { 1000, 60, 0, true, false, false, false },  /* its key is there still */
                { 0, 60, 0, false, false, false, false },    /* it has not gone down */
                { 1000, 0, 0, false, false, false, false },  /* it has all the time of the world */
                { 1000, 60, 600, false, true, true, false }, /* overdue, but not to be freed yet */
                { 1000, 60, 600, false, false, true, true },
                { 1000, 60, 600, true, false, false, false },
                { INT64_MAX, 60, 600, false, false, true, true }, /* whatever its clock says */
                { 1, 60, 600, true, true, false, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                Record record = { .departed = table[i].departed,
                                  .return_within = table[i].return_within,
                                  .free_after = table[i].free_after };

                assert_int_equal(record_is_late(&record, table[i].away), table[i].late);
                assert_int_equal(record_is_gone(&record, table[i].away, table[i].keep),
                                 table[i].gone);
        }
}

static void test_a_host_that_is_back_on_its_old_version_has_failed(_unused_ void **state)
{
        static const struct {
                const char *boot_id, *from, *to;
                int64_t departed;
                const char *now_boot, *now_version;
                bool fallback;
        } table[] = {
                { "one", "1.0", "2.0", 5, "two", "1.0", true },
                { "one", "1.0", "2.0", 5, "two", "2.0", false },
                { "one", "1.0", "2.0", 5, "one", "1.0",
                  false }, /* not rebooted: the daemon restarted */
                { "one", "1.0", "2.0", 0, "two", "1.0",
                  false },                                    /* it crashed before it went down */
                { "one", "1.0", "", 5, "two", "1.0", false }, /* it wanted no other version */
                { "one", "1.0", "1.0", 5, "two", "1.0", false },
                { "one", "1.0", "2.0", 5, "two", "3.0",
                  false },                                    /* somebody else has done something */
                { "", "1.0", "2.0", 5, "two", "1.0", false }, /* nobody knows */
                { "one", "", "2.0", 5, "two", "", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                Record record = { .boot_id = (char *)table[i].boot_id,
                                  .from_version = (char *)table[i].from,
                                  .to_version = (char *)table[i].to,
                                  .departed = table[i].departed };
                Record now = { .boot_id = (char *)table[i].now_boot,
                               .from_version = (char *)table[i].now_version };

                assert_int_equal(record_is_fallback(&record, &now), table[i].fallback);
        }
}

static void test_taking_the_lock_renews_the_time_only(_unused_ void **state)
{
        static const char text[] = "{\"host\":\"web-7\",\"since\":5,\"reason\":\"update\","
                                   "\"to_version\":\"2.0\",\"held\":77}";
        _cleanup_(record_done) Record record = {};
        _cleanup_free_ char *touched = NULL;

        assert_int_equal(record_touch(text, &touched), 0);
        assert_int_equal(record_parse(touched, strlen(touched), &record), 0);
        assert_string_equal(record.host, "web-7");
        assert_string_equal(record.to_version, "2.0");
        assert_int_equal(record.held, 77);
        assert_true(record.since > 5);
        assert_int_equal(record_touch("[]", &touched), -EBADMSG);
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
                cmocka_unit_test(test_a_host_that_is_back_on_its_old_version_has_failed),
                cmocka_unit_test(test_taking_the_lock_renews_the_time_only),
                cmocka_unit_test(test_a_pause_remembers_what_max_was),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
