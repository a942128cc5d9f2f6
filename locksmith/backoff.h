/*
 * How long to wait before the next try: doubling, with jitter, so that hosts that failed together
 * do not come back together.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/time-util.h"

typedef struct Backoff {
        usec_t first; /* at most so long before the second try */
        usec_t max;   /* and never longer than this */
        usec_t next;  /* 0: nothing has failed yet */
} Backoff;

/* After a failure: a random span between half of the step and the whole of it. Doubles the step. */
usec_t backoff_next(Backoff *backoff);

/* Calls handler after the next span; one timer, which is used again. */
int backoff_arm(Backoff *backoff, sd_event *event, sd_event_source **timer,
                sd_event_time_handler_t handler, void *userdata) _must_check_;

/* A random span below limit (0 for 0). */
usec_t jitter_below(usec_t limit);

static inline void backoff_reset(Backoff *backoff)
{
        backoff->next = 0;
}
