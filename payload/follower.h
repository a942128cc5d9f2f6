/*
 * Follows the operations of an image, which mostly come in the order of the blocks that they write:
 * gives the medium its work early, and hashes behind the front of what is written, in a thread of
 * its own. What an operation kept in memory is hashed there, the rest is read. Where operations
 * write in another order, it waits until the end.
 */
#pragma once

#include "payload/manifest.h"
#include "payload/operation-output.h"
#include "payload/pool.h"

typedef struct Follower Follower;

/* One operation on its way through the follower. */
typedef struct FollowerStep {
        PoolJob job; /* first: the pool sees only this */
        Follower *follower;
        const PoolJob *operation;      /* borrowed; the step begins when this is done */
        const OperationOutput *output; /* borrowed; what it kept */
        uint64_t start;                /* of what it writes, in bytes of the image */
        uint64_t end;
        int result;
} FollowerStep;

typedef struct FollowerParameters {
        const PayloadTarget *target; /* borrowed */
        uint64_t image_size;
        Pool *operations; /* borrowed; where they are carried out */
        bool cached;      /* see read_back_new() */
        bool lag;         /* the medium is not asked at once for what was written */
        bool threaded;    /* hash in a thread of its own */
} FollowerParameters;

/* What the parameters borrow has to outlive it. -ENOMEM, or -errno of starting the thread. */
int follower_new(const FollowerParameters *parameters, Follower **ret) _must_check_;
Follower *follower_free(Follower *follower);
DEFINE_CLEANUP(Follower *, follower_free);

/* An earlier run has carried out this operation. */
void follower_skip(Follower *follower, const Operation *operation, uint32_t block_size);

/*
 * This operation, in the pool as step->operation, comes next. Returns true when the step, and what it borrows, is
 * in use until follower_take() has returned it; in that order.
 */
bool follower_see(Follower *follower, const Operation *operation, uint32_t block_size,
                  FollowerStep *step);

/* Waits for the oldest step that is in use. */
int follower_take(Follower *follower) _must_check_;

/* Everything is written: syncs the target, reads what is left, gives the SHA-256 of the image. */
int follower_finish(Follower *follower, uint8_t ret_sha256[static SHA256_SIZE]) _must_check_;
