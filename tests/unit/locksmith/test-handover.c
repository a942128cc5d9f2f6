#include "locksmith/handover.h"
#include "unit/unit.h"

static void assert_same(const Handover *a, const Handover *b)
{
        _cleanup_(text_list_done) TextList first = {}, second = {};

        assert_int_equal(handover_format(a, &first), 0);
        assert_int_equal(handover_format(b, &second), 0);
        assert_int_equal(first.n_items, second.n_items);
        for (size_t i = 0; i < first.n_items; i++)
                assert_string_equal(first.items[i], second.items[i]);
}

static void assert_travels(const Handover *handover, size_t n_words)
{
        _cleanup_(handover_done) Handover arrived = HANDOVER_NONE;
        _cleanup_(text_list_done) TextList words = {};
        const char *wrong = NULL;

        assert_int_equal(handover_format(handover, &words), 0);
        assert_int_equal(words.n_items, n_words);
        assert_true(words.n_items <= HANDOVER_WORDS_MAX);
        assert_int_equal(handover_parse(words.n_items, words.items, &arrived, &wrong), 0);
        assert_same(handover, &arrived);
}

static void test_little_is_said_in_few_words(_unused_ void **state)
{
        Handover handover = HANDOVER_NONE;

        handover.coordinator = 7;
        handover.strategy = (char *)"reboot";
        assert_travels(&handover, 2);
}

static void test_all_of_it_arrives(_unused_ void **state)
{
        Handover handover = {
                .coordinator = 7,
                .bus = 0,
                .strategy = (char *)"best-effort",
                .group = (char *)"",
                .metrics_file = (char *)"/a b=c/\x80",
                .told_late = (char *)"host-b: \"since\"\nyesterday",
                .took = 1,
                .n_asked = UINT64_MAX,
                .n_refused = 3,
                .window_open = true,
                .due = true,
                .to_version = (char *)"2.0.0",
                .said = (char *)"UPDATE_STATUS_UPDATED_NEED_REBOOT",
                .said_version = (char *)"2.0.0",
                .lock = 4,
                .lock_free = true,
                .etcd_seen = true,
                .host_name = (char *)"a",
                .host_note = (char *)"{}",
                .fallback = (char *)"it came back",
                .host_is_new = true,
                .host_is_known = true,
                .n_hosts = 5,
        };

        assert_travels(&handover, 23);
}

static void test_a_text_that_is_too_long_stays(_unused_ void **state)
{
        _cleanup_(text_list_done) TextList words = {};
        _cleanup_free_ char *text = malloc(HANDOVER_TEXT_MAX + 2);
        Handover handover = { .coordinator = 7, .bus = -1, .strategy = (char *)"reboot" };

        assert_non_null(text);
        memset(text, 'x', HANDOVER_TEXT_MAX + 1);
        text[HANDOVER_TEXT_MAX + 1] = 0;
        handover.told_late = text;
        assert_int_equal(handover_format(&handover, &words), -E2BIG);
        text[HANDOVER_TEXT_MAX] = 0;
        assert_travels(&handover, 3);
}

#define GOOD "coordinator=7", "strategy=reboot"

static void test_what_was_not_written_by_us_is_refused(_unused_ void **state)
{
        static const struct {
                const char *words[5];
                const char *wrong;
        } cases[] = {
                { { NULL }, "coordinator" },
                { { "coordinator=7" }, "strategy" },
                { { "strategy=reboot" }, "coordinator" },
                { { GOOD, "" }, "" },
                { { GOOD, "due" }, "due" },
                { { GOOD, "due=" }, "due=" },
                { { GOOD, "due=no" }, "due=no" },
                { { GOOD, "due=yes", "due=yes" }, "due=yes" },
                { { GOOD, "Due=yes" }, "Due=yes" },
                { { GOOD, "duet=yes" }, "duet=yes" },
                { { GOOD, "=yes" }, "=yes" },
                { { GOOD, "--help" }, "--help" },
                { { GOOD, "bus=-1" }, "bus=-1" },
                { { GOOD, "bus=" }, "bus=" },
                { { GOOD, "bus=2147483648" }, "bus=2147483648" },
                { { GOOD, "hosts=1.5" }, "hosts=1.5" },
                { { GOOD, "hosts=18446744073709551616" }, "hosts=18446744073709551616" },
                { { GOOD, "said=UPDATE_STATUS_SOMETHING" }, "said=UPDATE_STATUS_SOMETHING" },
                { { "coordinator=7", "strategy=sometimes" }, "strategy=sometimes" },
                { { "coordinator=", "strategy=reboot" }, "coordinator=" },
                { { "coordinator=seven", "strategy=reboot" }, "coordinator=seven" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Handover handover = { .coordinator = 99 };
                const char *wrong = NULL;
                char *words[ELEMENTSOF(cases[i].words)];
                size_t n = 0;

                for (; cases[i].words[n]; n++)
                        words[n] = (char *)cases[i].words[n];
                assert_int_equal(handover_parse(n, words, &handover, &wrong), -EINVAL);
                assert_string_equal(wrong, cases[i].wrong);
                assert_int_equal(handover.coordinator, 99);
        }
}

static void test_a_text_that_is_too_long_is_refused(_unused_ void **state)
{
        _cleanup_free_ char *text = malloc(HANDOVER_TEXT_MAX + 16);
        char *words[] = { (char *)"coordinator=7", (char *)"strategy=reboot", text };
        _cleanup_(handover_done) Handover handover = HANDOVER_NONE;
        const char *wrong = NULL;

        assert_non_null(text);
        memset(text, 'x', HANDOVER_TEXT_MAX + 15);
        memcpy(text, "group=", 6);
        text[6 + HANDOVER_TEXT_MAX + 1] = 0;
        assert_int_equal(handover_parse(3, words, &handover, &wrong), -EINVAL);
        assert_ptr_equal(wrong, text);
        text[6 + HANDOVER_TEXT_MAX] = 0;
        assert_int_equal(handover_parse(3, words, &handover, &wrong), 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_little_is_said_in_few_words),
                cmocka_unit_test(test_all_of_it_arrives),
                cmocka_unit_test(test_a_text_that_is_too_long_stays),
                cmocka_unit_test(test_what_was_not_written_by_us_is_refused),
                cmocka_unit_test(test_a_text_that_is_too_long_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
