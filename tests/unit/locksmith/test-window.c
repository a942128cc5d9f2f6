#include <time.h>

#include "locksmith/window.h"
#include "unit/unit.h"

#define HOUR   USEC_PER_HOUR
#define MINUTE USEC_PER_MINUTE

static void test_starts_are_read_as_people_write_them(_unused_ void **state)
{
        static const struct {
                const char *text;
                int weekday;
                unsigned hour, minute;
        } table[] = {
                { "04:00", WINDOW_EVERY_DAY, 4, 0 },
                { "23:59", WINDOW_EVERY_DAY, 23, 59 },
                { "0:0", WINDOW_EVERY_DAY, 0, 0 },
                { "Sat 1:5", 6, 1, 5 },
                { "tHu 04:00", 4, 4, 0 },
                { "  Thu\t 04:00  ", 4, 4, 0 },
                { "sun 00:00", 0, 0, 0 },
                { "0004:0007", WINDOW_EVERY_DAY, 4, 7 },
                { "+4:+5", WINDOW_EVERY_DAY, 4, 5 },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                Window window = {};
                const char *why;

                assert_int_equal(window_parse_start(table[i].text, &window, &why), 0);
                assert_null(why);
                assert_int_equal(window.weekday, table[i].weekday);
                assert_int_equal(window.hour, table[i].hour);
                assert_int_equal(window.minute, table[i].minute);
        }
}

static void test_wrong_starts_are_refused_with_a_reason(_unused_ void **state)
{
        static const struct {
                const char *text, *why;
        } table[] = {
                { "", "it is not of the form" },
                { "4", "it is not of the form" },
                { ":30", "it is not of the form" },
                { "-1:30", "it is not of the form" },
                { "04.00", "it is not of the form" },
                { "Thu Fri 04:00", "it is not of the form" },
                { "24:00", "the hour is not between" },
                { "99999999999999999999:00", "the hour is not between" },
                { "04:60", "the minute is not between" },
                { "04:", "the minute is missing" },
                { "14:00:30", "text behind the minute" },
                { "14:00pm", "text behind the minute" },
                { "04:00 Thu", "text behind the minute" },
                { "Thursday 04:00", "the day is not one of" },
                { "Thu", "the day is not one of" },
                { "Thu04:00", "the day is not one of" },
                { "xx", "the day is not one of" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                Window window = { .hour = 77 };
                const char *why;

                assert_int_equal(window_parse_start(table[i].text, &window, &why), -EINVAL);
                assert_non_null(strstr(why, table[i].why));
                assert_int_equal(window.hour, 77);
        }
}

static void test_lengths_are_durations_of_go(_unused_ void **state)
{
        static const struct {
                const char *text;
                usec_t length;
        } table[] = {
                { "1h30m", 90 * MINUTE },
                { "1.5h", 90 * MINUTE },
                { ".5h", 30 * MINUTE },
                { "5.h", 5 * HOUR },
                { "+90m", 90 * MINUTE },
                { "90m0s", 90 * MINUTE },
                { "0", 0 },
                { "-0", 0 },
                { "0s", 0 },
                { "-0s", 0 },
                { "1us", 1 },
                { "1\xc2\xb5s", 1 },
                { "1\xce\xbcs", 1 },
                { "1ms1000ns", 1001 },
                { "999ns", 0 },
                { "0.000001s", 1 },
                { "1h1h", 2 * HOUR },
                { "2562047h", 2562047 * HOUR },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                const char *why;
                usec_t length = 77;

                assert_int_equal(window_parse_length(table[i].text, &length, &why), 0);
                assert_true(length == table[i].length);
        }
}

static void test_wrong_lengths_are_refused_with_a_reason(_unused_ void **state)
{
        static const struct {
                const char *text, *why;
        } table[] = {
                { "", "empty" },
                { "-", "empty" },
                { "1", "unit is missing" },
                { "1h0", "unit is missing" },
                { "00", "unit is missing" },
                { "h", "number is missing" },
                { ".h", "number is missing" },
                { ".", "number is missing" },
                { " 1h", "number is missing" },
                { "1y", "unit is not one of" },
                { "1d", "unit is not one of" },
                { "1H", "unit is not one of" },
                { "1h ", "unit is not one of" },
                { "1h 30m", "unit is not one of" },
                { "1h-30m", "unit is not one of" },
                { "-1h", "negative" },
                { "99999999999999999999h", "too long" },
                { "9999999999h", "too long" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                const char *why;
                usec_t length = 77;

                assert_int_equal(window_parse_length(table[i].text, &length, &why), -EINVAL);
                assert_non_null(strstr(why, table[i].why));
                assert_int_equal(length, 77);
        }
}

static void test_a_window_needs_both_parts_and_fits_its_period(_unused_ void **state)
{
        static const struct {
                const char *start, *length;
                int r;
                const char *why;
        } table[] = {
                { NULL, NULL, 0, NULL },
                { "", "", 0, NULL },
                { "04:00", "1h", 1, NULL },
                { "04:00", "0", 1, NULL },
                { "04:00", "23h59m", 1, NULL },
                { "Thu 04:00", "167h59m", 1, NULL },
                { "04:00", NULL, -EINVAL, "needs a length" },
                { "", "1h", -EINVAL, "needs a start" },
                { "04:00", "24h", -EINVAL, "shorter than 24h" },
                { "Thu 04:00", "168h", -EINVAL, "shorter than 168h" },
                { "x", "1h", -EINVAL, "the day" },
                { "04:00", "x", -EINVAL, "number is missing" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                const char *why = "";
                Window window;

                assert_int_equal(window_parse(table[i].start, table[i].length, &window, &why),
                                 table[i].r);
                if (table[i].why)
                        assert_non_null(strstr(why, table[i].why));
                else
                        assert_null(why);
        }
}

static void zone_set(const char *zone)
{
        assert_int_equal(setenv("TZ", zone, true), 0);
        tzset();
}

/* µs since 1970 of "2024-03-31T01:30:00" read as UTC. */
static usec_t utc(const char *text)
{
        struct tm tm = {};

        assert_non_null(strptime(text, "%Y-%m-%dT%H:%M:%S", &tm));
        return (usec_t)timegm(&tm) * USEC_PER_SEC;
}

static Window window_of(const char *start, const char *length)
{
        const char *why;
        Window window;

        assert_int_equal(window_parse(start, length, &window, &why), 1);
        return window;
}

static void test_the_end_belongs_to_the_window_and_the_next_microsecond_does_not(
        _unused_ void **state)
{
        Window window = window_of("04:00", "1h");

        zone_set("UTC");
        assert_false(window_contains(&window, utc("2024-05-01T04:00:00") - 1));
        assert_true(window_contains(&window, utc("2024-05-01T04:00:00")));
        assert_true(window_contains(&window, utc("2024-05-01T05:00:00")));
        assert_false(window_contains(&window, utc("2024-05-01T05:00:00") + 1));
        assert_true(window_closing(&window, utc("2024-05-01T04:30:00"))
                    == utc("2024-05-01T05:00:00"));
}

static void test_windows_open_when_they_should(_unused_ void **state)
{
        static const struct {
                const char *zone, *start, *length, *now, *next;
                bool inside;
        } table[] = {
                { "UTC", "04:00", "1h", "2024-05-01T03:00:00", "2024-05-01T04:00:00", false },
                { "UTC", "04:00", "1h", "2024-05-01T04:00:00", "2024-05-02T04:00:00", true },
                { "UTC", "04:00", "1h", "2024-05-01T06:00:00", "2024-05-02T04:00:00", false },
                /* across midnight, the end of a week, of a month and of a year */
                { "UTC", "23:00", "2h", "2024-05-01T00:30:00", "2024-05-01T23:00:00", true },
                { "UTC", "Thu 23:00", "1h30m", "2024-05-03T00:15:00", "2024-05-09T23:00:00", true },
                { "UTC", "Sat 23:00", "3h", "2024-05-05T01:00:00", "2024-05-11T23:00:00", true },
                { "UTC", "Tue 23:00", "3h", "2025-01-01T01:00:00", "2025-01-07T23:00:00", true },
                { "UTC", "Thu 04:00", "1h", "2024-05-02T03:59:59", "2024-05-02T04:00:00", false },
                { "UTC", "Thu 04:00", "1h", "2024-05-02T05:00:01", "2024-05-09T04:00:00", false },
                { "UTC", "Sun 00:00", "167h", "2024-05-11T22:00:00", "2024-05-12T00:00:00", true },
                { "UTC", "Sun 00:00", "167h", "2024-05-11T23:30:00", "2024-05-12T00:00:00", false },
                /* the local zone counts */
                { "Europe/Berlin", "04:00", "1h", "2024-05-01T02:30:00", "2024-05-02T02:00:00",
                  true },
                { "America/New_York", "Wed 22:00", "1h", "2024-05-02T02:30:00",
                  "2024-05-09T02:00:00", true },
                /* clocks go forward: 02:30 does not exist */
                { "Europe/Berlin", "02:30", "1h", "2024-03-31T01:00:00", "2024-03-31T01:30:00",
                  false },
                { "America/New_York", "02:30", "1h", "2024-03-10T06:00:00", "2024-03-10T06:30:00",
                  false },
                /* … and a length counts real hours */
                { "Europe/Berlin", "01:30", "1h", "2024-03-31T01:30:00", "2024-03-31T23:30:00",
                  true },
                { "Europe/Berlin", "01:30", "1h", "2024-03-31T01:30:01", "2024-03-31T23:30:00",
                  false },
                /* clocks go back: 02:30 (Berlin) and 01:30 (New York) come twice */
                { "Europe/Berlin", "02:30", "1h", "2024-10-27T00:30:00", "2024-10-27T01:30:00",
                  false },
                { "America/New_York", "01:30", "30m", "2024-11-03T05:00:00", "2024-11-03T05:30:00",
                  false },
                { "America/New_York", "01:30", "30m", "2024-11-03T06:30:00", "2024-11-04T06:30:00",
                  false },
                /* Samoa had no 30 December 2011 */
                { "Pacific/Apia", "04:00", "1h", "2011-12-30T09:00:00", "2011-12-30T14:00:00",
                  false },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                Window window = window_of(table[i].start, table[i].length);
                usec_t now = utc(table[i].now), next = utc(table[i].next);

                zone_set(table[i].zone);
                assert_true(window_contains(&window, now) == table[i].inside);
                assert_true(window_next_opening(&window, now) == next);
        }
}

static void test_extreme_clocks_are_no_trouble(_unused_ void **state)
{
        Window window = window_of("Thu 04:00", "1h");

        zone_set("America/New_York");
        assert_false(window_contains(&window, 0));
        assert_true(window_next_opening(&window, 0) == 9 * USEC_PER_HOUR);
        (void)window_next_opening(&window, USEC_INFINITY); /* must only come back */
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_starts_are_read_as_people_write_them),
                cmocka_unit_test(test_wrong_starts_are_refused_with_a_reason),
                cmocka_unit_test(test_lengths_are_durations_of_go),
                cmocka_unit_test(test_wrong_lengths_are_refused_with_a_reason),
                cmocka_unit_test(test_a_window_needs_both_parts_and_fits_its_period),
                cmocka_unit_test(
                        test_the_end_belongs_to_the_window_and_the_next_microsecond_does_not),
                cmocka_unit_test(test_windows_open_when_they_should),
                cmocka_unit_test(test_extreme_clocks_are_no_trouble),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
