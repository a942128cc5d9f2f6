#include "base/text.h"
#include "unit/unit.h"

static void test_numbers_are_whole_and_in_range(_unused_ void **state)
{
        static const struct {
                const char *text;
                int r;
                uint64_t value;
        } table[] = {
                { "0", 0, 0 },
                { "18446744073709551615", 0, UINT64_MAX },
                { "18446744073709551616", -ERANGE, 0 },
                { "99999999999999999999", -ERANGE, 0 },
                { "", -EINVAL, 0 },
                { "-1", -EINVAL, 0 },
                { "+1", -EINVAL, 0 },
                { " 1", -EINVAL, 0 },
                { "1 ", -EINVAL, 0 },
                { "0x1", -EINVAL, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                uint64_t value = 0;

                assert_int_equal(text_to_u64(table[i].text, UINT64_MAX, &value), table[i].r);
                assert_int_equal(value, table[i].value);
        }
}

static void test_versions_are_ordered_as_people_count(_unused_ void **state)
{
        static const char *const ascending[] = { "",        "1.9",      "1.10",     "1.10.1",
                                                 "2.0.0-a", "4000.0.0", "10000.0.0" };

        for (size_t i = 0; i < ELEMENTSOF(ascending); i++)
                for (size_t k = 0; k < ELEMENTSOF(ascending); k++) {
                        int order = version_compare(ascending[i], ascending[k]);

                        assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
                }
        assert_int_equal(version_compare("1.01", "1.1"), 0);
}

static void test_the_nearest_word_is_found_and_a_far_one_is_not(_unused_ void **state)
{
        static const char *const words[] = { "status", "update", "watch" };

        assert_string_equal(text_nearest("stauts", words, 3), "status");
        assert_string_equal(text_nearest("UPDAT", words, 3), "update");
        assert_null(text_nearest("reboot", words, 3));
        assert_null(text_nearest("", words, 3));
}

static void test_only_ascii_letters_have_a_lower_case(_unused_ void **state)
{
        char text[] = "AZaz-09@[\xc3\x84";

        text_lower(text);
        assert_string_equal(text, "azaz-09@[\xc3\x84");
}

static void test_utf8_is_strict(_unused_ void **state)
{
        static const char *const bad[] = { "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                           "\x80",     "\xe2\x82",     "\xff" };

        assert_true(text_is_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_false(text_is_utf8(bad[i], strlen(bad[i])));
}

static void test_lists_are_split_stripped_and_without_empty_items(_unused_ void **state)
{
        TextList list = {};

        assert_int_equal(text_list_split(&list, " a, ,b ,c", ","), 0);
        assert_int_equal(list.n_items, 3);
        assert_string_equal(list.items[1], "b");
        assert_null(list.items[3]);
        text_list_done(&list);
}

static void test_texts_are_formatted(_unused_ void **state)
{
        _cleanup_free_ char *text = NULL;

        assert_return_code(text_format(&text, "%s: %d", "answer", 42), 0);
        assert_string_equal(text, "answer: 42");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_numbers_are_whole_and_in_range),
                cmocka_unit_test(test_versions_are_ordered_as_people_count),
                cmocka_unit_test(test_the_nearest_word_is_found_and_a_far_one_is_not),
                cmocka_unit_test(test_only_ascii_letters_have_a_lower_case),
                cmocka_unit_test(test_utf8_is_strict),
                cmocka_unit_test(test_lists_are_split_stripped_and_without_empty_items),
                cmocka_unit_test(test_texts_are_formatted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
