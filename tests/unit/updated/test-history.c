#include "base/io.h"
#include "history.h"
#include "unit/unit.h"

static HistoryEntry entry(uint64_t when, HistoryOutcome outcome, const char *version,
                          const char *text)
{
        return (HistoryEntry) {
                .when = when,
                .count = 1,
                .outcome = outcome,
                .code = outcome == HISTORY_FAILED ? 18 : 0,
                .version = (char *)version,
                .text = (char *)text,
        };
}

static void add(const char *root, HistoryEntry e)
{
        assert_int_equal(history_add(root, &e), 0);
}

static void test_what_is_added_is_read_again(_unused_ void **state)
{
        _cleanup_(history_done) History history = {};
        char *root = directory_make();

        assert_int_equal(history_read(root, &history), 0);
        assert_int_equal(history.n_entries, 0);
        add(root, entry(10, HISTORY_FAILED, "2.0", "a\ttab\nand more"));
        add(root, entry(20, HISTORY_STAGED, "2.0", ""));
        assert_int_equal(history_read(root, &history), 0);
        assert_int_equal(history.n_entries, 2);
        assert_string_equal(history.entries[0].text, "a?tab?and more");
        assert_int_equal(history.entries[0].code, 18);
        assert_int_equal(history.entries[1].outcome, HISTORY_STAGED);
        assert_int_equal(history.entries[1].when, 20);
}

static void test_the_same_again_only_counts(_unused_ void **state)
{
        _cleanup_(history_done) History history = {};
        char *root = directory_make();

        add(root, entry(10, HISTORY_FAILED, "2.0", "no"));
        add(root, entry(20, HISTORY_FAILED, "2.0", "no"));
        add(root, entry(30, HISTORY_FAILED, "2.0", "other"));
        assert_int_equal(history_read(root, &history), 0);
        assert_int_equal(history.n_entries, 2);
        assert_int_equal(history.entries[0].count, 2);
        assert_int_equal(history.entries[0].when, 20);
}

static void test_it_is_bounded(_unused_ void **state)
{
        _cleanup_(history_done) History history = {};
        char *root = directory_make(), text[3 * HISTORY_TEXT_MAX];

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = 0;
        for (uint64_t i = 0; i < HISTORY_MAX + 3; i++) {
                text[0] = (char)('a' + i % 26);
                add(root, entry(i, HISTORY_FAILED, text, text));
        }
        assert_int_equal(history_read(root, &history), 0);
        assert_int_equal(history.n_entries, HISTORY_MAX);
        assert_int_equal(history.entries[0].when, 3);
        assert_int_equal(strlen(history.entries[0].text), HISTORY_TEXT_MAX);
}

/* Cut in the middle of a letter, it has to be UTF-8 all the same: the bus would refuse it. */
static void test_a_long_text_is_cut_into_plain_text(_unused_ void **state)
{
        _cleanup_(history_done) History history = {};
        char *root = directory_make(), text[2 * HISTORY_TEXT_MAX + 1] = "x";

        for (size_t i = 1; i + 1 < sizeof(text) - 1; i += 2)
                memcpy(text + i, "\xc3\xbc", 2);
        add(root, entry(1, HISTORY_FAILED, "", text));
        assert_int_equal(history_read(root, &history), 0);
        assert_string_equal(history.entries[0].version, "");
        assert_int_equal(history.entries[0].text[1], '?');
}

static void test_damaged_lines_are_passed_over(_unused_ void **state)
{
        static const char text[] = "nonsense\n"
                                   "1\tstaged\t1\t0\t1.0\n"
                                   "1\tstaged\t1\t0\t1.0\t\tmore\n"
                                   "-1\tstaged\t1\t0\t1.0\t\n"
                                   "1\tnonsense\t1\t0\t1.0\t\n"
                                   "1\tstaged\t1\t4294967296\t1.0\t\n"
                                   "7\tgood\t2\t0\t1.0\tfine\n"
                                   "8\tgood\t2\t0";
        _cleanup_(history_done) History history = {};

        assert_int_equal(history_parse(text, &history), 0);
        assert_int_equal(history.n_entries, 1);
        assert_int_equal(history.entries[0].when, 7);
        assert_string_equal(history.entries[0].text, "fine");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_added_is_read_again),
                cmocka_unit_test(test_the_same_again_only_counts),
                cmocka_unit_test(test_it_is_bounded),
                cmocka_unit_test(test_a_long_text_is_cut_into_plain_text),
                cmocka_unit_test(test_damaged_lines_are_passed_over),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
