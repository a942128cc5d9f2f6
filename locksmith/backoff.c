#include <stdlib.h>

#include "backoff.h"

usec_t jitter_below(usec_t limit)
{
        uint64_t random;

        arc4random_buf(&random, sizeof(random));
        return limit > 0 ? random % limit : 0;
}

usec_t backoff_next(Backoff *backoff)
{
        usec_t step = backoff->next > 0 ? backoff->next : backoff->first;

        backoff->next = MIN_OF(2 * step, backoff->max);
        return step / 2 + jitter_below(step / 2);
}

int backoff_arm(Backoff *backoff, sd_event *event, sd_event_source **timer,
                sd_event_time_handler_t handler, void *userdata)
{
        *timer = sd_event_source_disable_unref(*timer);
        return sd_event_add_time_relative(event, timer, CLOCK_MONOTONIC, backoff_next(backoff), 0,
                                          handler, userdata);
}
