/*
 * Puts a payload together: header, manifest with the place of its signatures, signatures of the
 * metadata (version 2), data. The signatures over it all are for the caller to append.
 */
#pragma once

#include "base/buffer.h"
#include "payload/keys.h"
#include "payload/manifest.h"

/* What a payload is sealed from. */
typedef struct PayloadParts {
        uint64_t version;       /* of the format */
        const Buffer *manifest; /* borrowed; its own place for signatures is replaced */
        int data_fd;            /* borrowed */
        uint64_t data_offset;
        uint64_t data_size;
} PayloadParts;

/*
 * Appends header and final manifest, for signatures of the sizes in list; none: it stays
 * unsigned.
 */
int seal_metadata(const PayloadParts *parts, const SignatureList *list, Buffer *ret) _must_check_;

/*
 * Writes metadata, the message with its signatures (version 2; else empty) and the data to
 * output_fd; -1: only hashes them. *ret_sha256 is what the signatures at the end are to be made
 * over.
 */
int seal_payload(const PayloadParts *parts, const Buffer *metadata, const Buffer *signatures,
                 int output_fd, uint8_t ret_sha256[static SHA256_SIZE]) _must_check_;
