/*
 * When to ask the update server next. Pure: everything comes in as arguments, even chance.
 */
#pragma once

#include "base/time-util.h"

#define SCHEDULE_MAX       (4 * USEC_PER_HOUR)   /* no server's wish and no backoff waits longer */
#define SCHEDULE_FIRST_MIN (2 * USEC_PER_MINUTE) /* after the start, before anything is asked */

typedef struct Schedule {
        usec_t first;         /* wanted wait before the first check; 0: spread over one interval */
        usec_t interval;      /* wanted wait between checks */
        uint64_t place;       /* any number that is this host's own, and always the same */
        uint64_t retry_after; /* seconds that the server asked for with 429 or 503; 0: nothing */
        uint64_t poll_interval; /* what the server wished last, in seconds; 0: nothing */
        usec_t last;            /* the wait before this one; 0: this is the first */
        bool server_busy;       /* the server answered 500 or 503: wait longer each time */
        uint64_t chance;        /* any number, evenly distributed */
} Schedule;

/* µs from now to the next check, spread so that a fleet does not ask all at once. */
usec_t schedule_next(const Schedule *schedule);
