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
                { "*-*-* 01:00 1h", 1 },
                { "*-*-1..7 01:00 1h", 1 },
                { "Sat,Sun *-1,4,7..9-15/7 01:00 1h", 2 },
                { "12-24 01:00 1h", 1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_int_equal(windows_of(table[i].text, "").n_windows, table[i].n);
}

static const char *const bad[] = {
        "02:00",
        "Mon 02:00 1h more",
        "Monday 02:00 1h",
        "Mon.Fri 02:00 1h",
        "Mon, 02:00 1h",
        "Mon.. 02:00 1h",
        "Mon 25:00 1h",
        "Mon 02:00 200h",
        "02:00 24h",
        "Xxx 02:00 1h",
        "Mon 02:00 -1h",

        "2026-12-24 02:00 1h",
        "*-13-1 02:00 1h",
        "*-*-32 02:00 1h",
        "*-*-0 02:00 1h",
        "*-*-7..1 02:00 1h",
        "*-*- 02:00 1h",
        "*-* -1 02:00 1h",
        "*-*-1,,2 02:00 1h",
        "*-*-1/0 02:00 1h",
        "*-*-*-* 02:00 1h",
        "*-*-1 Mon 02:00 1h",
        "*-*-1 *-*-2 02:00 1h",
        "*-*-1.7 02:00 1h",
        "*-*-99999999999999 02:00 1h",
        "*-*~1 02:00 1h",
        "*-2,4-31 02:00 1h",
        "*-2-30 02:00 1h",
        "Mon *-*-1 02:00",
        "- 02:00 1h",
        "*-*-1 * 02:00 1h",
};

static void test_what_is_none_is_refused_with_a_reason(_unused_ void **state)
{
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

        /* dates: the first Saturday of a month, a leap day on a given day of the week */
        { "UTC",
          "Sat *-*-1..7 22:00 4h",
          "",
          "2026-07-31 00:00",
          false,
          { "2026-08-01 22:00", "2026-08-02 02:00", "2026-09-05 22:00", "2026-09-06 02:00" } },
        { "UTC",
          "*-1/3-1 00:00 1h",
          "",
          "2026-11-22 00:00",
          false,
          { "2027-01-01 00:00", "2027-01-01 01:00", "2027-04-01 00:00" } },
        { "UTC",
          "Tue *-2-29 12:00 1h",
          "",
          "2028-03-01 00:00",
          false,
          { "2056-02-29 12:00", "2056-02-29 13:00" } },

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

/* A reboot must be over before the window is: it is closed for one that takes longer. */
static void test_what_is_left_of_a_window_must_do(_unused_ void **state)
{
        static const struct {
                const char *windows, *blackouts;
                usec_t span;
                const char *from;
                bool room;
                const char *change; /* NULL: there is none */
        } rooms[] = {
                { "02:00 1h", "", 0, "2026-06-01 02:30", true, "2026-06-01 03:00" },
                { "02:00 1h", "", 20 * USEC_PER_MINUTE, "2026-06-01 02:30", true,
                  "2026-06-01 02:40" },
                { "02:00 1h", "", 40 * USEC_PER_MINUTE, "2026-06-01 02:30", false,
                  "2026-06-02 02:00" },
                { "02:00 1h", "", 40 * USEC_PER_MINUTE, "2026-06-01 01:00", false,
                  "2026-06-01 02:00" },
                { "02:00 1h", "", USEC_PER_HOUR, "2026-06-01 02:00", true, "2026-06-01 02:00" },
                { "02:00 1h", "", 2 * USEC_PER_HOUR, "2026-06-01 02:30", false, NULL },
                { "02:00 1h; 03:00 1h", "", 90 * USEC_PER_MINUTE, "2026-06-01 02:10", true,
                  "2026-06-01 02:30" },
                /* a short one is passed over for a long one */
                { "02:00 1h; Sat 10:00 3h", "", 2 * USEC_PER_HOUR, "2026-06-01 00:00", false,
                  "2026-06-06 10:00" },
                /* the day without any ends a window */
                { "23:00 2h", "2026-06-02", 90 * USEC_PER_MINUTE, "2026-06-01 22:00", false,
                  "2026-06-03 23:00" },
                { "", "", USEC_PER_DAY, "2026-06-01 00:00", true, NULL },
                { "", "2026-06-03", USEC_PER_DAY, "2026-06-02 12:00", false, "2026-06-04 00:00" },
        };

        zone_set("UTC");
        for (size_t i = 0; i < ELEMENTSOF(rooms); i++) {
                Windows windows = windows_of(rooms[i].windows, rooms[i].blackouts);
                usec_t now = at(rooms[i].from), change;

                assert_int_equal(windows_have_room(&windows, now, rooms[i].span), rooms[i].room);
                change = windows_next_room(&windows, now, rooms[i].span);
                if (!rooms[i].change) {
                        assert_true(change == USEC_INFINITY);
                        continue;
                }
                assert_int_equal(change / USEC_PER_SEC, at(rooms[i].change) / USEC_PER_SEC);
                assert_int_equal(windows_have_room(&windows, change, rooms[i].span),
                                 !rooms[i].room);
                assert_int_equal(windows_have_room(&windows, change - 1, rooms[i].span),
                                 rooms[i].room);
        }
}

static void test_the_longest_window_is_known(_unused_ void **state)
{
        Windows two = windows_of("02:00 1h; Sat 10:00 3h", ""), none = windows_of("", "");

        assert_true(windows_longest(&two) == 3 * USEC_PER_HOUR);
        assert_true(windows_longest(&none) == USEC_INFINITY);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_days_become_windows),
                cmocka_unit_test(test_what_is_none_is_refused_with_a_reason),
                cmocka_unit_test(test_windows_change_when_they_should),
                cmocka_unit_test(test_without_a_change_there_is_none),
                cmocka_unit_test(test_what_is_left_of_a_window_must_do),
                cmocka_unit_test(test_the_longest_window_is_known),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
