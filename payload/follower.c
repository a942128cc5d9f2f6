#include "payload/follower.h"
#include "payload/read-back.h"
#include "payload/target.h"

/* Before data is read back, the medium needs time to write what is in the page cache. */
#define FOLLOWER_LAG (32 * MIB)
/* It is given its work in pieces of this size. */
#define FLUSH_STEP   (4 * MIB)

struct Follower {
        FollowerParameters parameters;
        uint64_t front;   /* everything in front of it is written, or in the pool */
        uint64_t flushed; /* the medium was told of everything in front of it */
        ReadBack *read_back;
        Pool *pool;
};

Follower *follower_free(Follower *follower)
{
        if (!follower)
                return NULL;

        pool_free(follower->pool);
        read_back_free(follower->read_back);
        free(follower);
        return NULL;
}

/* Is what the operation kept the very next thing to be hashed, and all that it wrote? */
static bool step_is_kept(const FollowerStep *step)
{
        return step->output->size > 0 && step->output->size == step->end - step->start
               && read_back_position(step->follower->read_back) == step->start;
}

static int step_hash(const FollowerStep *step)
{
        uint64_t lag = step->follower->parameters.lag ? FOLLOWER_LAG : 0;
        ReadBack *read_back = step->follower->read_back;
        int r;

        if (step->output->size > 0) {
                r = read_back_advance(read_back, step->start);
                if (r < 0)
                        return r;
        }
        if (step_is_kept(step))
                return read_back_feed(read_back, step->output->zeros ? NULL : step->output->data,
                                      step->output->size);

        return read_back_advance(read_back, step->end > lag ? step->end - lag : 0);
}

static void follower_work(PoolJob *job)
{
        FollowerStep *step = (FollowerStep *)job;

        pool_wait(step->follower->parameters.operations, step->operation);
        step->result = step_hash(step);
}

int follower_new(const FollowerParameters *parameters, Follower **ret)
{
        _cleanup_(follower_free_p) Follower *follower = calloc(1, sizeof(*follower));
        int r;

        if (!follower)
                return -ENOMEM;
        follower->parameters = *parameters;

        r = read_back_new(parameters->target, parameters->image_size, parameters->cached,
                          &follower->read_back);
        if (r >= 0)
                r = pool_new(parameters->threaded ? 1 : 0, follower_work, &follower->pool);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(follower);
        return 0;
}

/* Moves the front on, when the operation writes there. */
static bool follower_advance(Follower *follower, const Operation *operation, uint32_t block_size)
{
        const Extent *extent = operation->target.items;

        if (operation->target.n_items != 1 || extent_is_hole(extent)
            || extent->start * block_size != follower->front)
                return false;

        follower->front = MIN_OF(follower->front + extent->n_blocks * block_size,
                                 follower->parameters.image_size);
        return true;
}

void follower_skip(Follower *follower, const Operation *operation, uint32_t block_size)
{
        if (follower_advance(follower, operation, block_size))
                follower->flushed = follower->front;
}

bool follower_see(Follower *follower, const Operation *operation, uint32_t block_size,
                  FollowerStep *step)
{
        uint64_t start = follower->front;

        if (!follower_advance(follower, operation, block_size))
                return false;

        step->follower = follower;
        step->start = start;
        step->end = follower->front;
        pool_submit(follower->pool, &step->job);
        return true;
}

int follower_take(Follower *follower)
{
        const FollowerStep *step = (const FollowerStep *)pool_take(follower->pool);

        if (step->end - follower->flushed >= FLUSH_STEP) {
                target_flush(follower->parameters.target, follower->flushed,
                             step->end - follower->flushed);
                follower->flushed = step->end;
        }
        return step->result;
}

int follower_finish(Follower *follower, uint8_t ret_sha256[static SHA256_SIZE])
{
        int r;

        r = read_back_sync(follower->read_back);
        if (r < 0)
                return r;
        r = read_back_advance(follower->read_back, follower->parameters.image_size);
        if (r < 0)
                return r;

        return read_back_sha256(follower->read_back, ret_sha256);
}
