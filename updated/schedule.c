#include "schedule.h"

/* 7 ± 5 minutes and 45 ± 5 minutes are what servers are used to; other times are spread in proportion. */
#define FIRST_SPREAD(t)    ((t) / 7 * 5)
#define INTERVAL_SPREAD(t) ((t) / 9)
#define WISH_SPREAD(t)     ((t) / 2)

/* Evenly somewhere in wait ± spread. */
static usec_t spread_out(usec_t wait, usec_t spread, uint64_t chance)
{
        return wait - spread + chance % (2 * spread + 1);
}

/*
 * Hosts that start together, after a power cut, ask at places spread evenly over one interval, each always at its
 * own; with intervals that differ from host to host they stay spread.
 */
static usec_t schedule_first(const Schedule *s)
{
        usec_t least = MIN_OF((usec_t)SCHEDULE_FIRST_MIN, s->interval / 2);

        if (s->first > 0)
                return spread_out(s->first, FIRST_SPREAD(s->first), s->chance);
        return least + s->place % (s->interval + 1 - least);
}

static usec_t schedule_regular(const Schedule *s)
{
        usec_t max = MAX_OF(s->interval, (usec_t)SCHEDULE_MAX), wish, wait;

        if (s->last == 0)
                return schedule_first(s);

        if (s->server_busy) {
                wait = s->last > max / 2 ? max : s->last * 2;
                return MIN_OF(spread_out(wait, WISH_SPREAD(wait), s->chance), max);
        }

        wish = s->poll_interval > SCHEDULE_MAX / USEC_PER_SEC ? SCHEDULE_MAX
                                                              : s->poll_interval * USEC_PER_SEC;
        if (wish > s->interval)
                return spread_out(wish, WISH_SPREAD(wish), s->chance);
        return spread_out(s->interval, INTERVAL_SPREAD(s->interval), s->chance);
}

usec_t schedule_next(const Schedule *s)
{
        uint64_t asked = MIN_OF(s->retry_after, (uint64_t)(SCHEDULE_MAX / USEC_PER_SEC));

        return MAX_OF(schedule_regular(s), asked * USEC_PER_SEC);
}
