#include "fetch.h"
#include "unit/unit.h"

static void test_only_the_rest_of_the_very_file_fits(_unused_ void **state)
{
        static const struct {
                const char *text;
                bool fits;
        } table[] = {
                { "bytes 10-99/100", true },
                { "bytes 10-99/*", true },
                { "Bytes 10-99/100", true },
                { "bytes 0-99/100", false },
                { "bytes 10-98/100", false },
                { "bytes 10-99/101", false },
                { "bytes 11-99/100", false },
                { "bytes 10-99/100 ", false },
                { "bytes 010-99/100", false },
                { "bytes */100", false },
                { "10-99/100", false },
                { "", false },
                { NULL, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (content_range_fits(table[i].text, 10, 100) != table[i].fits)
                        fail_msg("\"%s\"", table[i].text);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_only_the_rest_of_the_very_file_fits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
