#include "base/progress.h"
#include "base/time-util.h"
#include "unit/unit.h"

static void test_times_and_sizes_are_written_as_people_read_them(_unused_ void **state)
{
        static const struct {
                usec_t span;
                const char *text, *brief;
        } spans[] = {
                { 0, "0.0 s", "0 s" },
                { 1500000, "1.5 s", "1 s" },
                { 59 * USEC_PER_SEC, "59 s", "59 s" },
                { 60 * USEC_PER_SEC, "1 min 0 s", "1 min" },
                { 250 * USEC_PER_SEC, "4 min 10 s", "4 min" },
                { 125 * USEC_PER_MINUTE, "2 h 5 min", "2 h" },
                { 50 * USEC_PER_HOUR, "50 h 0 min", "2 d" },
        };
        static const struct {
                uint64_t bytes;
                const char *text;
        } sizes[] = {
                { 0, "0 B" },
                { 999, "999 B" },
                { 1000, "1.0 kB" },
                { 18345678, "18.3 MB" },
                { UINT64_MAX, "18.4 EB" },
        };
        char span[TIMESPAN_MAX], size[BYTES_MAX];

        for (size_t i = 0; i < ELEMENTSOF(spans); i++) {
                assert_string_equal(timespan_format(spans[i].span, span), spans[i].text);
                assert_string_equal(timespan_format_short(spans[i].span, span), spans[i].brief);
        }
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                assert_string_equal(bytes_format(sizes[i].bytes, size), sizes[i].text);
}

static void test_a_bar_is_never_longer_than_its_width(_unused_ void **state)
{
        static const struct {
                double fraction;
                const char *bar;
        } bars[] = { { -1, "    " }, { 0, "    " }, { 0.5, "##  " },
                     { 1, "####" },  { 7, "####" }, { 0.0 / 0.0, "    " } };
        char bar[PROGRESS_BAR_MAX];

        for (size_t i = 0; i < ELEMENTSOF(bars); i++)
                assert_string_equal(progress_bar(bars[i].fraction, 4, true, bar), bars[i].bar);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_times_and_sizes_are_written_as_people_read_them),
                cmocka_unit_test(test_a_bar_is_never_longer_than_its_width),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
