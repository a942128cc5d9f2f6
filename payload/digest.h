/*
 * SHA-256 of a stream, whose state can be written down and taken up again later.
 */
#pragma once

#include "payload/payload.h"

#define SHA256_WORDS      8
#define SHA256_BLOCK_SIZE 64

typedef struct Digest Digest;

/* What a stream of so many bytes leaves behind: FIPS 180-4 §6.2, between two blocks. */
typedef struct DigestState {
        uint64_t bytes;
        uint32_t words[SHA256_WORDS];
        uint8_t rest[SHA256_BLOCK_SIZE]; /* the last bytes % SHA256_BLOCK_SIZE; zeros behind */
} DigestState;

/* An empty stream. -ENOMEM. */
int digest_new(Digest **ret) _must_check_;
Digest *digest_free(Digest *digest);
DEFINE_CLEANUP(Digest *, digest_free);

/* Hashes the next bytes. */
int digest_update(Digest *digest, const void *data, size_t size) _must_check_;

/* A second stream that has seen the same bytes. */
int digest_clone(const Digest *digest, Digest **ret) _must_check_;

/* What digest_restore() goes on from; the stream can go on itself. */
void digest_save(const Digest *digest, DigestState *ret);

/* The stream goes on as the saved one would have. What it had seen is forgotten. */
void digest_restore(Digest *digest, const DigestState *state);

/* The SHA-256 of everything so far; the stream can go on. */
int digest_peek(const Digest *digest, uint8_t ret[static SHA256_SIZE]) _must_check_;

/* SHA-256 of one piece. */
int digest_of(const void *data, size_t size, uint8_t ret[static SHA256_SIZE]) _must_check_;
