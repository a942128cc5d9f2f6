/*
 * All reboot windows of a host, less the days on which nothing is to happen. Pure functions over
 * the local time zone, as those of window.h.
 */
#pragma once

#include "window.h"

#define WINDOWS_MAX      64 /* a window on several days counts once for each */
#define BLACKOUTS_MAX    64
#define WINDOWS_TEXT_MAX 2048

/* Local days, both included, as numbers like 20261224. */
typedef struct Blackout {
        int first, last;
} Blackout;

typedef struct Windows {
        Window windows[WINDOWS_MAX];
        size_t n_windows; /* 0: at any time */
        Blackout blackouts[BLACKOUTS_MAX];
        size_t n_blackouts;
} Windows;

/*
 * Adds windows from "Mon..Fri 02:00 2h; Sat *-*-1..7 10:00 4h": days of the week and dates as
 * systemd.time(7) writes them (none: every day; the year is always "*"), HH:MM, and a length as
 * window.h has it; a semicolon between two. -EINVAL with a constant text in *ret_why.
 */
int windows_parse(const char *text, Windows *windows, const char **ret_why) _must_check_;

/* Adds days from "2026-12-24..2027-01-02, 2027-04-01". The same returns. */
int blackouts_parse(const char *text, Windows *windows, const char **ret_why) _must_check_;

bool windows_is_open(const Windows *windows, usec_t now);

/* When windows_is_open() will have another answer; USEC_INFINITY: not in the years that are looked
 * at. */
usec_t windows_next_change(const Windows *windows, usec_t now);

/* Is it open, and will it be for at least so long? With a span of 0 this is windows_is_open(). */
bool windows_have_room(const Windows *windows, usec_t now, usec_t span);

/* When windows_have_room() will have another answer; USEC_INFINITY as above. */
usec_t windows_next_room(const Windows *windows, usec_t now, usec_t span);

/* The length of the longest one; USEC_INFINITY without any. */
usec_t windows_longest(const Windows *windows);
