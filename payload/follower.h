/*
 * Follows the operations of a full image, which come in the order of the blocks that they
 * write: gives the medium its work early, and reads back and hashes behind the front of what is
 * written, in a thread of its own. Where operations write in another order, it waits until the
 * end.
 */
#pragma once

#include "payload/manifest.h"

typedef struct Follower Follower;

/* target is borrowed. cached: see read_back_new(). threaded: read in a thread of its own. */
int follower_new(const PayloadTarget *target, uint64_t image_size, bool cached, bool threaded,
                 Follower **ret) _must_check_;
Follower *follower_free(Follower *follower);
DEFINE_CLEANUP(Follower *, follower_free);

/* All operations up to this one have been carried out. */
void follower_see(Follower *follower, const Operation *operation, uint32_t block_size);

/* Everything is written: syncs the target, reads what is left, gives the SHA-256 of the image. */
int follower_finish(Follower *follower, uint8_t ret_sha256[static SHA256_SIZE]) _must_check_;
