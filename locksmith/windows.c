#include <ctype.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "base/text.h"
#include "windows.h"

#define DAYS_PER_WEEK 7
#define FIELDS_MIN    2 /* of a window: time and length */
#define FIELDS_MAX    4 /* days of the week and dates before them */
#define DATES_MAX     31
#define MONTHS_MAX    12
#define OPENINGS_MAX  500  /* that are looked at for one that is long enough */
#define CHANGES_MAX   1000 /* that are looked through; with blackouts every midnight is one */
#define YEAR_MAX      9999

static const char days[DAYS_PER_WEEK][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

/* Reads a day and moves *p behind it. */
static int day_parse(const char **p, int *ret)
{
        for (int i = 0; i < DAYS_PER_WEEK; i++)
                if (strncasecmp(*p, days[i], 3) == 0) {
                        *p += 3;
                        *ret = i;
                        return 0;
                }
        return -EINVAL;
}

/* "Mon", "Mon..Fri", "Mon,Wed..Fri": marks them. A range may pass the end of the week. */
static int days_parse(const char *text, bool marked[static DAYS_PER_WEEK])
{
        const char *p = text;

        for (;;) {
                int first, last;

                if (day_parse(&p, &first) < 0)
                        return -EINVAL;
                last = first;
                if (strncmp(p, "..", 2) == 0) {
                        p += 2;
                        if (day_parse(&p, &last) < 0)
                                return -EINVAL;
                }
                marked[last] = true;
                for (int day = first; day != last; day = (day + 1) % DAYS_PER_WEEK)
                        marked[day] = true;
                if (!*p)
                        return 0;
                if (*p++ != ',')
                        return -EINVAL;
        }
}

/* Reads a number from 1 to max and moves *p behind it. */
static int number_parse(const char **p, int max, int *ret)
{
        int value = 0;

        for (; isdigit((unsigned char)**p) && value <= max; (*p)++)
                value = value * 10 + (**p - '0');
        if (value < 1 || value > max)
                return -EINVAL;

        *ret = value;
        return 0;
}

/* One of "*", "3", "1..7", "1/7": marks the numbers, and moves *p behind it. */
static int numbers_mark(const char **p, int max, uint32_t *marked)
{
        int first = 1, last = max, step = 1;

        if (**p == '*')
                (*p)++;
        else if (number_parse(p, max, &first) < 0)
                return -EINVAL;
        else
                last = **p == '/' ? max : first;
        if (strncmp(*p, "..", 2) == 0) {
                *p += 2;
                if (number_parse(p, max, &last) < 0 || last < first)
                        return -EINVAL;
        }
        if (**p == '/') {
                (*p)++;
                if (number_parse(p, max, &step) < 0)
                        return -EINVAL;
        }

        for (int i = first; i <= last; i += step)
                *marked |= UINT32_C(1) << i;
        return 0;
}

/* A list of these, up to end. */
static int numbers_parse(const char **p, int max, char end, uint32_t *ret)
{
        *ret = 0;
        do {
                if (numbers_mark(p, max, ret) < 0)
                        return -EINVAL;
        } while (*(*p)++ == ',');
        return (*p)[-1] == end ? 0 : -EINVAL;
}

/* Is there a year that has such a day? */
static bool dates_exist(uint32_t months, uint32_t dates)
{
        static const int lengths[MONTHS_MAX] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

        for (int i = 0; i < MONTHS_MAX; i++)
                if (months & (UINT32_C(2) << i) && dates & ((UINT64_C(2) << lengths[i]) - 2))
                        return true;
        return false;
}

/* "*-MONTHS-DATES" or "MONTHS-DATES" */
static int dates_parse(const char *text, Window *window)
{
        const char *p = text;
        uint32_t months;

        if (strncmp(p, "*-", 2) == 0 && strchr(p + 2, '-'))
                p += 2;
        if (numbers_parse(&p, MONTHS_MAX, '-', &months) < 0
            || numbers_parse(&p, DATES_MAX, 0, &window->dates) < 0
            || !dates_exist(months, window->dates))
                return -EINVAL;

        window->months = (uint16_t)months;
        return 0;
}

static int window_add(Windows *windows, const char *day, Window *dates, char *const *fields,
                      const char **ret_why)
{
        const char *clock = fields[0], *length = fields[1];
        char start[WINDOW_TEXT_MAX];
        Window window = {};
        int r;

        if (windows->n_windows == WINDOWS_MAX) {
                *ret_why = "there are too many windows";
                return -EINVAL;
        }
        if (snprintf(start, sizeof(start), "%s%s%s", day, *day ? " " : "", clock)
            >= (int)sizeof(start)) {
                *ret_why = "it is too long for a time";
                return -EINVAL;
        }
        r = window_parse(start, length, &window, ret_why);
        if (r < 0)
                return r;

        window.dates = dates->dates;
        window.months = dates->months;
        windows->windows[windows->n_windows++] = window;
        return 0;
}

/* The fields before the last two: which days of the week, which dates. */
static int which_parse(const TextList *fields, bool marked[static DAYS_PER_WEEK], Window *dates,
                       const char **ret_why)
{
        size_t n = fields->n_items - FIELDS_MIN, i = 0;

        if (i < n && isalpha((unsigned char)*fields->items[i])
            && days_parse(fields->items[i++], marked) < 0)
                *ret_why = "days are written as in Mon, Mon..Fri or Mon,Wed,Fri";
        else if (i < n && dates_parse(fields->items[i++], dates) < 0)
                *ret_why =
                        "dates are written as in *-*-1..7 or *-12-*: any year, month, a day that it has";
        else if (i < n)
                *ret_why = "days of the week come first, then the dates";
        return *ret_why ? -EINVAL : 0;
}

/* "[Days] [Dates] HH:MM LENGTH" */
static int entry_parse(const char *text, Windows *windows, const char **ret_why)
{
        _cleanup_(text_list_done) TextList fields = {};
        bool marked[DAYS_PER_WEEK] = {}, any = false;
        char *const *times;
        Window dates = {};
        int r;

        r = text_list_split(&fields, text, " \t");
        if (r < 0)
                return r;
        if (fields.n_items < FIELDS_MIN || fields.n_items > FIELDS_MAX) {
                *ret_why = "a window is written as in \"Mon..Fri 02:00 2h\"";
                return -EINVAL;
        }

        times = fields.items + fields.n_items - FIELDS_MIN;
        r = which_parse(&fields, marked, &dates, ret_why);
        for (int day = 0; day < DAYS_PER_WEEK && r >= 0; day++)
                if (marked[day]) {
                        any = true;
                        r = window_add(windows, days[day], &dates, times, ret_why);
                }
        return r < 0 || any ? r : window_add(windows, "", &dates, times, ret_why);
}

static int list_parse(const char *text, const char *separator, Windows *windows,
                      int (*parse)(const char *text, Windows *windows, const char **ret_why),
                      const char **ret_why)
{
        _cleanup_(text_list_done) TextList entries = {};
        int r;

        *ret_why = NULL;
        if (strlen(text) > WINDOWS_TEXT_MAX) {
                *ret_why = "it is too long";
                return -EINVAL;
        }
        r = text_list_split(&entries, text, separator);
        for (size_t i = 0; i < entries.n_items && r >= 0; i++)
                r = parse(entries.items[i], windows, ret_why);
        return r;
}

int windows_parse(const char *text, Windows *windows, const char **ret_why)
{
        return list_parse(text, ";", windows, entry_parse, ret_why);
}

/* The local midnight at the begin of a day; days behind the end of a month are of the next one. */
static time_t midnight(int year, int month, int day)
{
        struct tm tm = {
                .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_isdst = -1
        };

        return mktime(&tm);
}

/* "2026-12-24": a day that the calendar has. Moves *p behind it. */
static int date_parse(const char **p, int *ret)
{
        static const char pattern[] = "dddd-dd-dd";
        int year, month, day;
        struct tm tm;
        time_t t;

        for (size_t i = 0; pattern[i]; i++)
                if (pattern[i] == 'd' ? !isdigit((unsigned char)(*p)[i]) : (*p)[i] != pattern[i])
                        return -EINVAL;
        if (sscanf(*p, "%4d-%2d-%2d", &year, &month, &day) != 3)
                return -EINVAL;
        t = midnight(year, month, day);
        if (t < 0 || !localtime_r(&t, &tm) || tm.tm_mon != month - 1 || tm.tm_mday != day)
                return -EINVAL;

        *p += strlen(pattern);
        *ret = year * 10000 + month * 100 + day;
        return 0;
}

static int blackout_parse(const char *text, Windows *windows, const char **ret_why)
{
        const char *p = text;
        Blackout blackout;
        int r;

        r = date_parse(&p, &blackout.first);
        blackout.last = blackout.first;
        if (r >= 0 && strncmp(p, "..", 2) == 0) {
                p += 2;
                r = date_parse(&p, &blackout.last);
        }
        if (r < 0 || *p)
                *ret_why = "days are written as in 2026-12-24 or 2026-12-24..2027-01-02";
        else if (blackout.last < blackout.first)
                *ret_why = "a range of days ends before it begins";
        else if (windows->n_blackouts == BLACKOUTS_MAX)
                *ret_why = "there are too many ranges of days";
        if (*ret_why)
                return -EINVAL;

        windows->blackouts[windows->n_blackouts++] = blackout;
        return 0;
}

int blackouts_parse(const char *text, Windows *windows, const char **ret_why)
{
        return list_parse(text, ", \t", windows, blackout_parse, ret_why);
}

static bool is_blackout(const Windows *windows, usec_t now)
{
        time_t seconds = (time_t)(now / USEC_PER_SEC);
        struct tm tm;
        int day;

        tzset(); /* localtime_r() alone need not notice a changed /etc/localtime */
        if (!localtime_r(&seconds, &tm))
                return false;
        day = (tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday;
        for (size_t i = 0; i < windows->n_blackouts; i++)
                if (day >= windows->blackouts[i].first && day <= windows->blackouts[i].last)
                        return true;
        return false;
}

bool windows_is_open(const Windows *windows, usec_t now)
{
        bool open = windows->n_windows == 0;

        for (size_t i = 0; i < windows->n_windows && !open; i++)
                open = window_contains(&windows->windows[i], now);
        return open && !(windows->n_blackouts > 0 && is_blackout(windows, now));
}

static usec_t next_midnight(usec_t now)
{
        time_t seconds = (time_t)(now / USEC_PER_SEC), next;
        struct tm tm;

        if (!localtime_r(&seconds, &tm) || tm.tm_year + 1900 > YEAR_MAX)
                return USEC_INFINITY;
        next = midnight(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday + 1);
        return next > seconds ? (usec_t)next * USEC_PER_SEC : USEC_INFINITY;
}

/* The first moment behind now at which anything may be different. */
static usec_t next_candidate(const Windows *windows, usec_t now)
{
        usec_t first = windows->n_blackouts > 0 ? next_midnight(now) : USEC_INFINITY;

        for (size_t i = 0; i < windows->n_windows; i++) {
                const Window *window = &windows->windows[i];

                if (window_contains(window, now))
                        first = MIN_OF(first, window_closing(window, now) + 1);
                first = MIN_OF(first, window_next_opening(window, now));
        }
        return first;
}

usec_t windows_next_change(const Windows *windows, usec_t now)
{
        bool open = windows_is_open(windows, now);

        for (unsigned i = 0; i < CHANGES_MAX; i++) {
                now = next_candidate(windows, now);
                if (now == USEC_INFINITY || windows_is_open(windows, now) != open)
                        return now;
        }
        return USEC_INFINITY;
}

bool windows_have_room(const Windows *windows, usec_t now, usec_t span)
{
        usec_t change;

        if (!windows_is_open(windows, now))
                return false;
        change = windows_next_change(windows, now);
        return change == USEC_INFINITY || change - now > span;
}

usec_t windows_next_room(const Windows *windows, usec_t now, usec_t span)
{
        bool open = windows_is_open(windows, now);
        usec_t change = windows_next_change(windows, now);

        if (open && (change == USEC_INFINITY || change - now > span))
                return change == USEC_INFINITY ? change : change - span;
        if (open && change != USEC_INFINITY)
                change = windows_next_change(windows, change);

        for (unsigned i = 0; i < OPENINGS_MAX && change != USEC_INFINITY; i++) {
                usec_t closes = windows_next_change(windows, change);

                if (closes == USEC_INFINITY || closes - change > span)
                        return change;
                change = windows_next_change(windows, closes);
        }
        return USEC_INFINITY;
}

usec_t windows_longest(const Windows *windows)
{
        usec_t longest = windows->n_windows == 0 ? USEC_INFINITY : 0;

        for (size_t i = 0; i < windows->n_windows; i++)
                longest = MAX_OF(longest, windows->windows[i].length);
        return longest;
}
