/*
 * How fast something goes, and how long it will take: a smoothed figure that jumps neither with each packet nor
 * lags behind for minutes. Pure: the time comes in as an argument.
 */
#pragma once

#include "base/time-util.h"

#define RATE_SAMPLE (1 * USEC_PER_SEC) /* the shortest time that says anything about speed */

/* All zero: nothing is known. */
typedef struct Rate {
        usec_t since;   /* begin of the sample under way; 0: none yet */
        uint64_t bytes; /* done then */
        uint64_t per_second;
} Rate;

/* bytes: done so far; fewer than before means that it began anew. */
void rate_update(Rate *rate, uint64_t bytes, usec_t now);

/* Seconds until total bytes are done; 0: not known. */
uint64_t rate_time_left(const Rate *rate, uint64_t done, uint64_t total);
