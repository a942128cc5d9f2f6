#include "base/buffer.h"
#include "unit/unit.h"

static void test_a_full_buffer_refuses_more_and_keeps_what_it_has(_unused_ void **state)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(4);
        _cleanup_free_ char *text = NULL;

        assert_int_equal(buffer_append(&buffer, "abc", 3), 0);
        assert_int_equal(buffer_append(&buffer, "de", 2), -EFBIG);
        assert_int_equal(buffer_append(&buffer, "d", 1), 0);
        assert_int_equal(buffer_append(&buffer, "e", SIZE_MAX), -EFBIG);
        assert_int_equal(buffer_take_text(&buffer, &text, NULL), 0);
        assert_string_equal(text, "abcd");
}

static void test_an_empty_buffer_is_an_empty_text(_unused_ void **state)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(4);
        _cleanup_free_ char *text = NULL;
        size_t size = 7;

        assert_int_equal(buffer_take_text(&buffer, &text, &size), 0);
        assert_string_equal(text, "");
        assert_int_equal(size, 0);
}

static void test_formatted_text_counts_against_the_maximum(_unused_ void **state)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(5);

        assert_int_equal(buffer_appendf(&buffer, "%d", 12345), 0);
        assert_int_equal(buffer_appendf(&buffer, "%d", 6), -EFBIG);
}

static void test_a_text_becomes_a_string_of_json(_unused_ void **state)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(100);
        _cleanup_free_ char *text = NULL;

        assert_int_equal(buffer_append_json(&buffer, "a\"b\\c\n\r\t\x01<\u00e9\u2028"), 0);
        assert_int_equal(buffer_take_text(&buffer, &text, NULL), 0);
        assert_string_equal(text, "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u003c\u00e9\\u2028\"");

        buffer = BUFFER_MAX(3);
        assert_int_equal(buffer_append_json(&buffer, "abc"), -EFBIG);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_full_buffer_refuses_more_and_keeps_what_it_has),
                cmocka_unit_test(test_an_empty_buffer_is_an_empty_text),
                cmocka_unit_test(test_a_text_becomes_a_string_of_json),
                cmocka_unit_test(test_formatted_text_counts_against_the_maximum),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
