/*
 * SHA-256 of a stream.
 */
#pragma once

#include "payload/payload.h"

typedef struct Digest Digest;

int digest_new(Digest **ret) _must_check_;
Digest *digest_free(Digest *digest);
DEFINE_CLEANUP(Digest *, digest_free);

int digest_update(Digest *digest, const void *data, size_t size) _must_check_;

/* A second stream that has seen the same bytes. */
int digest_clone(const Digest *digest, Digest **ret) _must_check_;

/* The SHA-256 of everything so far; the stream can go on. */
int digest_peek(const Digest *digest, uint8_t ret[static SHA256_SIZE]) _must_check_;

/* SHA-256 of one piece. */
int digest_of(const void *data, size_t size, uint8_t ret[static SHA256_SIZE]) _must_check_;
