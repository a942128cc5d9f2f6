#include "rate.h"

#define WEIGHT_OLD 2 /* of the speed so far; a new sample weighs 1 */

void rate_update(Rate *rate, uint64_t bytes, usec_t now)
{
        usec_t span = now > rate->since ? now - rate->since : 0;
        uint64_t speed;

        if (rate->since == 0 || bytes < rate->bytes) {
                *rate = (Rate) { .since = now, .bytes = bytes };
                return;
        }
        if (span < RATE_SAMPLE)
                return;

        speed = (uint64_t)((double)(bytes - rate->bytes) * (double)USEC_PER_SEC / (double)span);
        *rate = (Rate) {
                .since = now,
                .bytes = bytes,
                .per_second = rate->per_second == 0
                                      ? speed
                                      : (rate->per_second * WEIGHT_OLD + speed) / (WEIGHT_OLD + 1),
        };
}

uint64_t rate_time_left(const Rate *rate, uint64_t done, uint64_t total)
{
        if (rate->per_second == 0 || done >= total)
                return 0;
        return (total - done) / rate->per_second + 1;
}
