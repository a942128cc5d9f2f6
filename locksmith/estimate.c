#include "estimate.h"

static int newer_first(const void *a, const void *b)
{
        const Record *const *x = a, *const *y = b;

        return ((*x)->since < (*y)->since) - ((*x)->since > (*y)->since);
}

static int shorter_first(const void *a, const void *b)
{
        const Record *const *x = a, *const *y = b;

        return ((*x)->held > (*y)->held) - ((*x)->held < (*y)->held);
}

/* The median of the times that the lock was held lately, in seconds; 0: there are none. */
static int held_median(const Peers *hosts, uint64_t *ret)
{
        _cleanup_free_ const Record **records = calloc(hosts->n_peers + 1, sizeof(*records));
        size_t n = 0;

        if (!records)
                return -ENOMEM;
        for (size_t i = 0; i < hosts->n_peers; i++)
                if (hosts->peers[i].record.held > 0)
                        records[n++] = &hosts->peers[i].record;

        qsort(records, n, sizeof(*records), newer_first);
        n = MIN_OF(n, (size_t)ESTIMATE_RECENT);
        qsort(records, n, sizeof(*records), shorter_first);
        *ret = n > 0 ? (uint64_t)records[n / 2]->held : 0;
        return 0;
}

int estimate_wait(const Peers *hosts, const Semaphore *semaphore, size_t before, usec_t *ret)
{
        uint64_t seconds, turns, limit = ESTIMATE_MAX / USEC_PER_SEC;
        int r;

        if (semaphore->max <= 0)
                return -ENODATA;
        if (semaphore->free > 0 && before < (uint64_t)semaphore->free) {
                *ret = 0;
                return 0;
        }
        r = held_median(hosts, &seconds);
        if (r < 0)
                return r;
        if (seconds == 0)
                return -ENODATA;

        /* The slots are given out max at a time; free is negative when more hosts hold the lock than may. */
        turns = ((uint64_t)before + 1 + (uint64_t)-MIN_OF(semaphore->free, INT64_C(0))
                 + (uint64_t)semaphore->max - 1)
                / (uint64_t)semaphore->max;
        seconds = MIN_OF(seconds, limit);
        *ret = MIN_OF(seconds * MIN_OF(turns, limit), limit) * USEC_PER_SEC;
        return 0;
}
