/*
 * Hashes an image where it lies, from the first byte to the last: from the medium itself where
 * that is possible, past the page cache. It can follow the writer, so that little is left to
 * read when the last block is written.
 */
#pragma once

#include "payload/payload.h"

typedef struct ReadBack ReadBack;

/* target is borrowed. cached: through the page cache, which is faster and proves less. */
int read_back_new(const PayloadTarget *target, uint64_t image_size, bool cached,
                  ReadBack **ret) _must_check_;
ReadBack *read_back_free(ReadBack *read_back);
DEFINE_CLEANUP(ReadBack *, read_back_free);

/* Hashes up to that byte of the image. Everything in front of it must have been written. */
int read_back_advance(ReadBack *read_back, uint64_t position) _must_check_;

/*
 * Hashes size bytes of memory instead of those that follow in the image: they have been read, or need not
 * be. NULL: zeros.
 */
int read_back_feed(ReadBack *read_back, const uint8_t *data, uint64_t size) _must_check_;

/* Hashed so far. */
uint64_t read_back_position(const ReadBack *read_back);

/* Waits until the medium has everything. */
int read_back_sync(ReadBack *read_back) _must_check_;

/* The SHA-256 of what was hashed so far. */
int read_back_sha256(const ReadBack *read_back, uint8_t ret[static SHA256_SIZE]) _must_check_;
