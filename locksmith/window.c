#include <ctype.h>
#include <strings.h>
#include <time.h>

#include "locksmith/window.h"

#define NSEC_PER_USEC     1000
#define DAYS_PER_WEEK     7
#define HOURS_MAX         23
#define MINUTES_MAX       59
#define SECONDS_PER_DAY   INT64_C(86400)
#define DAYS_OF_MONTH_MIN 28
#define DAYS_AHEAD        (41 * 366) /* a 29 February on a given day of the week takes so long */

static const char *const weekdays[DAYS_PER_WEEK] = {
        "sun", "mon", "tue", "wed", "thu", "fri", "sat",
};

static const char *blanks_skip(const char *p)
{
        return p + strspn(p, " \t");
}

/* Reads a day name and moves *p behind it. */
static int weekday_parse(const char **p, int *ret)
{
        for (int i = 0; i < DAYS_PER_WEEK; i++) {
                size_t n = strlen(weekdays[i]);

                if (strncasecmp(*p, weekdays[i], n) == 0 && ((*p)[n] == ' ' || (*p)[n] == '\t')) {
                        *ret = i;
                        *p = blanks_skip(*p + n);
                        return 0;
                }
        }

        return -EINVAL;
}

/* Reads "7", "07" or "+7" up to max and moves *p behind it. */
static int clock_part_parse(const char **p, unsigned max, unsigned *ret)
{
        unsigned value = 0;

        if (**p == '+')
                (*p)++;
        if (!isdigit((unsigned char)**p))
                return -EINVAL;
        for (; isdigit((unsigned char)**p); (*p)++) {
                value = value * 10 + (unsigned)(**p - '0');
                if (value > max)
                        return -ERANGE;
        }

        *ret = value;
        return 0;
}

/* Reads "HH:MM". Returns NULL, or what is wrong. */
static const char *clock_parse(const char **p, unsigned *ret_hour, unsigned *ret_minute)
{
        int r;

        r = clock_part_parse(p, HOURS_MAX, ret_hour);
        if (r == -ERANGE)
                return "the hour is not between 0 and 23";
        if (r < 0 || **p != ':')
                return "it is not of the form \"[Day ]HH:MM\" with a day like Mon";

        (*p)++;
        r = clock_part_parse(p, MINUTES_MAX, ret_minute);
        if (r == -ERANGE)
                return "the minute is not between 0 and 59";
        if (r < 0)
                return "the minute is missing";

        return NULL;
}

int window_parse_start(const char *text, Window *ret, const char **ret_why)
{
        const char *p = blanks_skip(text);
        Window window = { .weekday = WINDOW_EVERY_DAY };

        *ret_why = NULL;
        if (strlen(text) > WINDOW_TEXT_MAX)
                *ret_why = "it is too long for a time";
        else if (isalpha((unsigned char)*p) && weekday_parse(&p, &window.weekday) < 0)
                *ret_why = "the day is not one of sun, mon, tue, wed, thu, fri, sat";
        else
                *ret_why = clock_parse(&p, &window.hour, &window.minute);
        if (!*ret_why && *blanks_skip(p))
                *ret_why = "there is text behind the minute";
        if (*ret_why)
                return -EINVAL;

        ret->weekday = window.weekday;
        ret->hour = window.hour;
        ret->minute = window.minute;
        return 0;
}

/* ns of the unit at *p, which is moved behind it; 0 when it is none. */
static uint64_t unit_parse(const char **p)
{
        static const struct {
                const char *name;
                uint64_t nsec;
        } units[] = {
                { "ns", 1 },
                { "us", 1000 },
                { "\xc2\xb5s", 1000 }, /* U+00B5, micro sign */
                { "\xce\xbcs", 1000 }, /* U+03BC, Greek mu */
                { "ms", 1000000 },
                { "s", UINT64_C(1000000000) },
                { "m", UINT64_C(60000000000) },
                { "h", UINT64_C(3600000000000) },
        };
        size_t n = strcspn(*p, ".0123456789");

        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (strlen(units[i].name) == n && strncmp(*p, units[i].name, n) == 0) {
                        *p += n;
                        return units[i].nsec;
                }

        return 0;
}

/* Reads one number with its unit ("1.5h") and adds it to *nsec. Returns NULL, or what is wrong. */
static const char *duration_term_parse(const char **p, uint64_t *nsec)
{
        const char *whole = *p, *fraction, *end;
        uint64_t value = 0, unit, part;

        for (; isdigit((unsigned char)**p); (*p)++)
                if (!mul_u64(value, 10, &value) || !add_u64(value, (uint64_t)(**p - '0'), &value))
                        return "the duration is too long";
        fraction = **p == '.' ? *p + 1 : *p;
        end = **p == '.' ? fraction + strspn(fraction, "0123456789") : fraction;
        if (*p == whole && end == fraction)
                return "a number is missing, as in 1h30m";

        *p = end;
        if (!**p)
                return "the unit is missing: h, m or s, as in 1h30m";
        unit = unit_parse(p);
        if (unit == 0)
                return "the unit is not one of h, m, s, ms, us, ns";

        if (!mul_u64(value, unit, &part) || !add_u64(*nsec, part, nsec))
                return "the duration is too long";
        for (; fraction < end; fraction++) {
                unit /= 10;
                if (!add_u64(*nsec, unit * (uint64_t)(*fraction - '0'), nsec))
                        return "the duration is too long";
        }

        return NULL;
}

static const char *duration_parse(const char *p, uint64_t *ret_nsec)
{
        uint64_t nsec = 0;
        bool negative = *p == '-';

        if (strlen(p) > WINDOW_TEXT_MAX)
                return "it is too long for a duration";
        if (*p == '-' || *p == '+')
                p++;
        if (!*p)
                return "the duration is empty";

        if (streq(p, "0")) /* the only number that needs no unit */
                p++;
        while (*p) {
                const char *why = duration_term_parse(&p, &nsec);
                if (why)
                        return why;
        }
        if (negative && nsec > 0)
                return "a window can not have a negative length";

        *ret_nsec = nsec;
        return NULL;
}

int window_parse_length(const char *text, usec_t *ret, const char **ret_why)
{
        uint64_t nsec;

        *ret_why = duration_parse(text, &nsec);
        if (*ret_why)
                return -EINVAL;

        *ret = nsec / NSEC_PER_USEC;
        return 0;
}

int window_parse(const char *start, const char *length, Window *ret, const char **ret_why)
{
        Window window = {};
        int r;

        *ret_why = NULL;
        if (is_empty(start) && is_empty(length))
                return 0;
        if (is_empty(start) || is_empty(length)) {
                *ret_why = is_empty(start) ? "a window needs a start too, not a length only"
                                           : "a window needs a length too, not a start only";
                return -EINVAL;
        }

        r = window_parse_start(start, &window, ret_why);
        if (r < 0)
                return r;
        r = window_parse_length(length, &window.length, ret_why);
        if (r < 0)
                return r;

        if (window.weekday == WINDOW_EVERY_DAY && window.length >= USEC_PER_DAY)
                *ret_why = "a daily window must be shorter than 24h";
        else if (window.length >= DAYS_PER_WEEK * USEC_PER_DAY)
                *ret_why = "a weekly window must be shorter than 168h";
        if (*ret_why)
                return -EINVAL;

        *ret = window;
        return 1;
}

/* Seconds that local time is ahead of UTC at that moment. */
static int64_t utc_offset(int64_t seconds)
{
        time_t t = (time_t)seconds;
        struct tm local;

        return localtime_r(&t, &local) ? local.tm_gmtoff : 0;
}

/*
 * The moment at which the clock on the wall shows a local time (given as if it were UTC). A time that daylight
 * saving leaves out or repeats is resolved as Go's time.Date() does, which locksmith's windows rest upon:
 * the offset in force at the first guess decides.
 */
static int64_t local_to_utc(int64_t local)
{
        return local - utc_offset(local - utc_offset(local));
}

/* Weekday of a day counted from 1970-01-01, a Thursday. */
static int day_weekday(int64_t day)
{
        int64_t n = (day + 4) % DAYS_PER_WEEK;

        return (int)(n < 0 ? n + DAYS_PER_WEEK : n);
}

/* Does it start on that day? If not, *skip days behind it are sure to be none either. */
static bool window_is_on(const Window *window, int64_t day, int64_t *skip)
{
        time_t midnight = (time_t)(day * SECONDS_PER_DAY);
        struct tm tm;

        *skip = 0;
        if (window->dates > 0 || window->months > 0) {
                if (!gmtime_r(&midnight, &tm))
                        return false;
                if (window->months > 0 && !(window->months & (1U << (tm.tm_mon + 1)))) {
                        *skip = MAX_OF(0, DAYS_OF_MONTH_MIN - tm.tm_mday);
                        return false;
                }
                if (window->dates > 0 && !(window->dates & (UINT32_C(1) << tm.tm_mday)))
                        return false;
        }
        return window->weekday == WINDOW_EVERY_DAY || window->weekday == day_weekday(day);
}

/* The last start at or before now and the first one after it (INT64_MAX: there is none), in µs since 1970; the former
 * may be negative. */
static void window_starts(const Window *window, usec_t now, int64_t *ret_previous,
                          int64_t *ret_next)
{
        int64_t t = (int64_t)MIN_OF(now, (usec_t)INT64_MAX / 2);
        int64_t seconds = t / (int64_t)USEC_PER_SEC;
        int64_t today, skip;

        tzset(); /* localtime_r() alone need not notice a changed /etc/localtime */
        today = (seconds + utc_offset(seconds)) / SECONDS_PER_DAY;
        *ret_previous = 0;

        /* A day more than a week back: a zone may skip a day or a local time, and none is longer. */
        for (int64_t day = today - DAYS_PER_WEEK - 1; day <= today + DAYS_AHEAD; day++) {
                if (!window_is_on(window, day, &skip)) {
                        day += skip;
                        continue;
                }
                *ret_next = local_to_utc(day * SECONDS_PER_DAY + window->hour * 3600
                                         + window->minute * 60)
                            * (int64_t)USEC_PER_SEC;
                if (*ret_next > t)
                        return;
                *ret_previous = *ret_next;
        }
        *ret_next = INT64_MAX;
}

usec_t window_closing(const Window *window, usec_t now)
{
        int64_t previous, next, end;

        window_starts(window, now, &previous, &next);
        end = previous + (int64_t)window->length;
        return end > 0 ? (usec_t)end : 0;
}

bool window_contains(const Window *window, usec_t now)
{
        usec_t end = window_closing(window, now);

        return end > 0 && now <= end;
}

usec_t window_next_opening(const Window *window, usec_t now)
{
        int64_t previous, next;

        window_starts(window, now, &previous, &next);
        return next == INT64_MAX ? USEC_INFINITY : (usec_t)next;
}
