/*
 * Reboot windows: when may this host reboot? Pure functions over the local time zone (TZ or /etc/localtime);
 * "now" is always an argument. The same parser serves locksmithd and cloud-config.
 */
#pragma once

#include "base/macros.h"
#include "base/time-util.h"

/* Longer texts are refused before they are looked at. */
#define WINDOW_TEXT_MAX 128

#define WINDOW_EVERY_DAY (-1)

typedef struct Window {
        int weekday; /* 0 Sunday … 6 Saturday, or WINDOW_EVERY_DAY */
        unsigned hour;
        unsigned minute;
        usec_t length;   /* elapsed time, not wall clock; below a day or a week */
        uint32_t dates;  /* bits 1 to 31: only on these days of a month; 0: on all */
        uint16_t months; /* bits 1 to 12: only in these; 0: in all */
} Window;

/*
 * Parses "[Day ]HH:MM": a day is sun, mon, tue, wed, thu, fri or sat in any case, blanks around the fields
 * do not matter, text behind the minute is refused. Sets weekday, hour and minute of *ret.
 * Returns 0, or -EINVAL with a constant text in *ret_why.
 */
int window_parse_start(const char *text, Window *ret, const char **ret_why) _must_check_;

/*
 * Parses a length as Go writes durations: "1h30m", "1.5h", "90m", "0". Less than a µs is cut off.
 * Returns 0, or -EINVAL with a constant text in *ret_why.
 */
int window_parse_length(const char *text, usec_t *ret, const char **ret_why) _must_check_;

/*
 * Parses a window; NULL and "" both mean "not given", and it takes both or neither. A length of zero is
 * legal (one instant), one of a whole period is not.
 * Returns 1 with *ret set, 0 when neither is given (no window: always open), or -EINVAL with *ret_why.
 */
int window_parse(const char *start, const char *length, Window *ret,
                 const char **ret_why) _must_check_;

/* True from a start of the window to its end, both included. */
bool window_contains(const Window *window, usec_t now);

/* The first start after now, in µs since 1970; USEC_INFINITY: there is none in 41 years. */
usec_t window_next_opening(const Window *window, usec_t now);

/* When the window that was open last before (or is open at) now ends; 0 if that was before 1970. */
usec_t window_closing(const Window *window, usec_t now);
