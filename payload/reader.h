/*
 * The push machine: bytes of a payload in, in pieces of any size; manifest, operations and
 * signatures out, each exactly once and in order. It hashes what it reads and does nothing else
 * with it.
 */
#pragma once

#include "base/buffer.h"
#include "payload/digest.h"
#include "payload/header.h"
#include "payload/manifest.h"

/* A place between two operations, and what was hashed in front of it. */
typedef struct ReaderMark {
        uint64_t n_operations; /* of the payload, in front of it */
        uint64_t bytes;        /* from the start of the payload */
        DigestState payload;   /* of what is signed; its bytes are 0: not hashed */
        DigestState file;      /* of all; its bytes are 0: not hashed, or the same */
} ReaderMark;

typedef struct ReaderEvents {
        /*
         * Header and manifest have this SHA-256, and these are the signatures over it (version
         * 2; or NULL). The manifest has not been parsed yet, and is not when this fails. May be
         * NULL.
         */
        int (*on_metadata)(void *userdata, const uint8_t sha256[static SHA256_SIZE],
                           const Buffer *signatures, PayloadError *error);
        /* The manifest is complete and checked. It lives as long as the reader. */
        int (*on_manifest)(void *userdata, const Manifest *manifest, PayloadError *error);
        /*
         * The data of an operation is complete; empty where it has none. The callee may
         * exchange the buffer.
         */
        int (*on_operation)(void *userdata, const Partition *partition, const Operation *operation,
                            Buffer *data, PayloadError *error);
} ReaderEvents;

typedef struct PayloadReader PayloadReader;

/*
 * events and userdata are borrowed. file_hash: the SHA-256 of the whole file is going to be
 * asked for.
 */
int reader_new(const ReaderEvents *events, void *userdata, bool file_hash,
               PayloadReader **ret) _must_check_;
PayloadReader *reader_free(PayloadReader *reader);
DEFINE_CLEANUP(PayloadReader *, reader_free);

/* In on_operation: the place behind that operation. */
void reader_mark(const PayloadReader *reader, ReaderMark *ret);

/*
 * In on_manifest: the first operations are not wanted. Their data is hashed, not collected;
 * n_operations may be UINT64_MAX: none is wanted.
 */
void reader_skip(PayloadReader *reader, uint64_t n_operations);

/* In on_manifest: nobody is going to ask for the hash of what is signed. */
void reader_hash_less(PayloadReader *reader);

/* The byte behind the data that is skipped; 0 when none is skipped (any more). */
uint64_t reader_skip_end(const PayloadReader *reader);

/*
 * The next byte pushed is the one at reader_skip_end(). mark is that place. False, and nothing
 * is changed, when the mark can not be of this payload.
 */
bool reader_jump(PayloadReader *reader, const ReaderMark *mark) _must_check_;

/* Can the mark be of this payload, and does it know what is going to be asked for? In on_manifest. */
bool reader_mark_is_valid(const PayloadReader *reader, const ReaderMark *mark);

/* The next bytes of the payload, of any number; calls the events that they make possible. -errno with *error filled. */
int reader_push(PayloadReader *reader, const void *data, size_t size,
                PayloadError *error) _must_check_;

/* Nothing more comes: refuses a payload that is not complete. */
int reader_finish(PayloadReader *reader, PayloadError *error) _must_check_;

uint64_t reader_version(const PayloadReader *reader); /* of the format; 0 before the header */
uint64_t reader_bytes(const PayloadReader *reader);
const Manifest *reader_manifest(const PayloadReader *reader); /* NULL before it is complete */

/*
 * When DONE: SHA-256 of what is signed, that is everything in front of the signatures, those of
 * the metadata left out; the signatures message; SHA-256 of all bytes.
 */
const uint8_t *reader_signed_sha256(const PayloadReader *reader);
const Buffer *reader_signatures(const PayloadReader *reader);
int reader_file_sha256(const PayloadReader *reader, uint8_t ret[static SHA256_SIZE]) _must_check_;
