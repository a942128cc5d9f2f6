/*
 * Times in µs, and how people read times and sizes.
 */
#pragma once

#include <stdint.h>

#include "base/macros.h"

typedef uint64_t usec_t;

#define USEC_PER_SEC    UINT64_C(1000000)
#define USEC_PER_MSEC   UINT64_C(1000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR   (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY    (24 * USEC_PER_HOUR)
#define USEC_INFINITY   UINT64_MAX

/* µs since 1970, and since boot with suspended time counted. */
usec_t now_realtime(void);
usec_t now_boottime(void);

/* "3.2 s", "4 min 10 s", "2 h 5 min": for people. The buffer is returned. */
#define TIMESPAN_MAX 48
const char *timespan_format(usec_t span, char buffer[static TIMESPAN_MAX]);

/* "3 s", "4 min", "2 h", "12 d": the same for tables, without what is behind the largest unit. */
const char *timespan_format_short(usec_t span, char buffer[static TIMESPAN_MAX]);

/* "512 B", "18.3 MB": powers of 1000, as disks and networks are sold. The buffer is returned. */
#define BYTES_MAX 32
const char *bytes_format(uint64_t bytes, char buffer[static BYTES_MAX]);
