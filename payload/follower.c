#include "payload/follower.h"
#include "payload/pool.h"
#include "payload/read-back.h"
#include "payload/target.h"

/* The medium needs time to write before it is read: so far behind the front is reading begun … */
#define FOLLOWER_LAG  (32 * MIB)
/* … and in steps of this size. */
#define FOLLOWER_STEP (4 * MIB)

typedef struct FollowerJob {
        PoolJob job; /* first: the pool sees only this */
        ReadBack *read_back;
        uint64_t goal;
        int result;
} FollowerJob;

struct Follower {
        PayloadTarget target;
        uint64_t image_size;
        uint64_t front;   /* everything in front of it was written */
        uint64_t flushed; /* the medium was told of everything in front of it */
        uint64_t lag;
        ReadBack *read_back;
        Pool *pool;      /* of one thread, or NULL: all is read at the end */
        FollowerJob job; /* the one that is in the pool, while busy */
        bool busy;
};

static void follower_work(PoolJob *pool_job)
{
        FollowerJob *job = (FollowerJob *)pool_job;

        job->result = read_back_advance(job->read_back, job->goal);
}

Follower *follower_free(Follower *follower)
{
        if (!follower)
                return NULL;

        pool_free(follower->pool);
        read_back_free(follower->read_back);
        free(follower);
        return NULL;
}

int follower_new(const PayloadTarget *target, uint64_t image_size, bool cached, bool threaded,
                 Follower **ret)
{
        _cleanup_(follower_free_p) Follower *follower = calloc(1, sizeof(*follower));
        int r;

        if (!follower)
                return -ENOMEM;
        follower->target = *target;
        follower->image_size = image_size;
        follower->lag = cached ? 0 : FOLLOWER_LAG;

        r = read_back_new(target, image_size, cached, &follower->read_back);
        if (r >= 0 && threaded)
                r = pool_new(1, follower_work, &follower->pool);
        if (r < 0)
                return r;

        follower->job.read_back = follower->read_back;
        *ret = TAKE_PTR(follower);
        return 0;
}

/* Gives the thread more to read when it is idle and there is enough. */
static void follower_submit(Follower *follower)
{
        uint64_t goal = follower->front > follower->lag ? follower->front - follower->lag : 0;

        if (!follower->pool)
                return;
        if (follower->busy && pool_try_take(follower->pool))
                follower->busy = false;
        if (follower->busy || follower->job.result < 0 || goal < follower->job.goal + FOLLOWER_STEP)
                return;

        follower->job.goal = goal;
        follower->busy = true;
        pool_submit(follower->pool, &follower->job.job);
}

void follower_see(Follower *follower, const Operation *operation, uint32_t block_size)
{
        const Extent *extent = operation->target.items;

        if (operation->target.n_items != 1 || extent_is_hole(extent)
            || extent->start * block_size != follower->front)
                return;

        follower->front =
                MIN_OF(follower->front + extent->n_blocks * block_size, follower->image_size);
        if (follower->front - follower->flushed >= FOLLOWER_STEP) {
                target_flush(&follower->target, follower->flushed,
                             follower->front - follower->flushed);
                follower->flushed = follower->front;
        }
        follower_submit(follower);
}

int follower_finish(Follower *follower, uint8_t ret_sha256[static SHA256_SIZE])
{
        int r;

        if (follower->busy)
                (void)pool_take(follower->pool);
        follower->busy = false;
        if (follower->job.result < 0)
                return follower->job.result;

        r = read_back_sync(follower->read_back);
        if (r < 0)
                return r;
        r = read_back_advance(follower->read_back, follower->image_size);
        if (r < 0)
                return r;

        return read_back_sha256(follower->read_back, ret_sha256);
}
