#include <time.h>

#include "locksmith/windows.h"
#include "unit/unit.h"

static usec_t at(const char *text)
{
        struct tm tm = { .tm_isdst = -1 };

        assert_non_null(strptime(text, "%Y-%m-%d %H:%M", &tm));
        return (usec_t)mktime(&tm) * USEC_PER_SEC;
}

static void zone_set(const char *zone)
{
        assert_int_equal(setenv("TZ", zone, 1), 0);
        tzset();
}

static Windows windows_of(const char *text, const char *blackouts)
{
        Windows windows = {};
        const char *why;

        assert_int_equal(windows_parse(text, &windows, &why), 0);
        assert_int_equal(blackouts_parse(blackouts, &windows, &why), 0);
        return windows;
}

static void test_days_become_windows(_unused_ void **state)
{
        static const struct {
                const char *text;
                size_t n;
        } table[] = {
                { "", 0 },
                { " ; ", 0 },
                { "02:00 1h", 1 },
                { "mon 02:00 1h", 1 },
                { "Mon..Fri 02:00 1h30m; Sat,Sun 10:00 4h", 7 },
                { "Fri..Mon 22:00 12h", 4 },
                { "Mon..Wed,Fri 01:00 1h", 4 },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_int_equal(windows_of(table[i].text, "").n_windows, table[i].n);
}

static void test_what_is_none_is_refused_with_a_reason(_unused_ void **state)
{
        static const char *const bad[] = {
                "02:00",         "Mon 02:00 1h more", "Monday 02:00 1h", "Mon.Fri 02:00 1h",
                "Mon, 02:00 1h", "Mon.. 02:00 1h",    "Mon 25:00 1h",    "Mon 02:00 200h",
                "02:00 24h",     "Xxx 02:00 1h",      "Mon 02:00 -1h",
        };
        static const char *const bad_days[] = {
                "2026-12-32",   "2026-02-29", "2026-1-1",
                "2026-12-24..", "24.12.2026", "2026-12-24..2026-12-23",
                "2026-12-24x",  "heute",      "2026-13-01",
        };
        char many[WINDOWS_TEXT_MAX + 2];
        const char *why;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                Windows windows = {};

                assert_int_equal(windows_parse(bad[i], &windows, &why), -EINVAL);
                assert_non_null(why);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad_days); i++) {
                Windows windows = {};

                assert_int_equal(blackouts_parse(bad_days[i], &windows, &why), -EINVAL);
                assert_non_null(why);
        }
        memset(many, ';', sizeof(many) - 1);
        many[sizeof(many) - 1] = 0;
        assert_int_equal(windows_parse(many, &(Windows) {}, &why), -EINVAL);
        *many = 0;
        for (int i = 0; i < 10; i++)
                strncat(many, "Mon..Sun 02:00 1h;", sizeof(many) - strlen(many) - 1);
        assert_int_equal(windows_parse(many, &(Windows) {}, &why), -EINVAL);
}

/* From a moment on: the changes, in this order. */
static const struct {
        const char *zone, *windows, *blackouts, *from;
        bool open;
        const char *changes[4];
} table[] = {
        /* no window at all, or only days without */
        { "UTC", "", "", "2026-06-01 12:00", true, {} },
        { "UTC",
          "",
          "2026-12-24..2026-12-26",
          "2026-12-23 12:00",
          true,
          { "2026-12-24 00:00", "2026-12-27 00:00" } },

        /* two that overlap are one */
        { "UTC",
          "02:00 2h; 03:00 2h",
          "",
          "2026-06-01 00:00",
          false,
          { "2026-06-01 02:00", "2026-06-01 05:00", "2026-06-02 02:00" } },
        { "UTC",
          "Mon..Fri 02:00 1h; Sat 10:00 2h",
          "",
          "2026-06-05 12:00", /* a Friday */
          false,
          { "2026-06-06 10:00", "2026-06-06 12:00", "2026-06-08 02:00" } },

        /* a blackout begins inside of a window, and ends inside of another */
        { "UTC",
          "23:00 2h",
          "2026-12-24",
          "2026-12-23 22:00",
          false,
          { "2026-12-23 23:00", "2026-12-24 00:00", "2026-12-25 00:00", "2026-12-25 01:00" } },

        /* daylight saving: the length is real time; a day without an hour has its window later */
        { "Europe/Berlin",
          "01:30 1h",
          "",
          "2026-03-29 00:00",
          false,
          { "2026-03-29 01:30", "2026-03-29 03:30", "2026-03-30 01:30" } },
        { "Europe/Berlin",
          "02:30 1h",
          "",
          "2026-03-29 00:00",
          false,
          { "2026-03-29 03:30", "2026-03-29 04:30" } },
        { "Europe/Berlin",
          "",
          "2026-10-25",
          "2026-10-24 12:00",
          true,
          { "2026-10-25 00:00", "2026-10-26 00:00" } },

        /* the first of two years without end */
        { "UTC",
          "Mon 02:00 1h",
          "2026-01-01..2027-12-31",
          "2026-06-01 00:00",
          false,
          { "2028-01-03 02:00" } },
};

static void test_windows_change_when_they_should(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                bool open = table[i].open;
                Windows windows;
                usec_t now;

                zone_set(table[i].zone);
                windows = windows_of(table[i].windows, table[i].blackouts);
                now = at(table[i].from);
                assert_int_equal(windows_is_open(&windows, now), open);
                for (size_t j = 0; j < 4 && table[i].changes[j]; j++) {
                        now = windows_next_change(&windows, now);
                        open = !open;
                        /* the end of a window belongs to it: the change is 1 µs behind */
                        assert_int_equal(now / USEC_PER_SEC,
                                         at(table[i].changes[j]) / USEC_PER_SEC);
                        assert_int_equal(windows_is_open(&windows, now), open);
                        assert_int_equal(windows_is_open(&windows, now - 1), !open);
                }
        }
}

static void test_without_a_change_there_is_none(_unused_ void **state)
{
        Windows always = windows_of("", ""), past = windows_of("", "2020-01-01");

        zone_set("UTC");
        assert_true(windows_next_change(&always, at("2026-01-01 00:00")) == USEC_INFINITY);
        assert_true(windows_next_change(&past, at("2026-01-01 00:00")) == USEC_INFINITY);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_days_become_windows),
                cmocka_unit_test(test_what_is_none_is_refused_with_a_reason),
                cmocka_unit_test(test_windows_change_when_they_should),
                cmocka_unit_test(test_without_a_change_there_is_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
