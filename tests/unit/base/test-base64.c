#include "base/base64.h"
#include "unit/unit.h"

static void test_the_vectors_of_the_standard_go_both_ways(_unused_ void **state)
{
        static const struct {
                const char *data, *text;
        } table[] = {
                { "", "" },
                { "f", "Zg==" },
                { "fo", "Zm8=" },
                { "foo", "Zm9v" },
                { "foob", "Zm9vYg==" },
                { "fooba", "Zm9vYmE=" },
                { "foobar", "Zm9vYmFy" },
                { "\xfb\xff", "+/8=" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *text = NULL, *data = NULL;
                size_t size;

                assert_int_equal(base64_encode(table[i].data, strlen(table[i].data), &text), 0);
                assert_string_equal(text, table[i].text);
                assert_int_equal(base64_decode(text, &data, &size), 0);
                assert_int_equal(size, strlen(table[i].data));
                assert_memory_equal(data, table[i].data, size + 1);
        }
}

static void test_only_canonical_text_is_decoded(_unused_ void **state)
{
        static const char *const bad[] = { "Z",        "Zg",       "Zg=",      "Zh==",  "Zm9=",
                                           "Zg==Zg==", "=g==",     "====",     "Zm 9v", "Zm9v\n",
                                           "Zm_-",     "Zg==\x01", "Zm9vY===", "Z===" };
        char *data;
        size_t size;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(base64_decode(bad[i], &data, &size), -EBADMSG);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_vectors_of_the_standard_go_both_ways),
                cmocka_unit_test(test_only_canonical_text_is_decoded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
