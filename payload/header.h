/*
 * The fixed header in front of every payload: magic, version, size of the manifest.
 */
#pragma once

#include "payload/payload.h"

#define HEADER_MAGIC        "CrAU"
#define HEADER_MAGIC_SIZE   4
#define HEADER_VERSION_1    1
#define HEADER_VERSION_2    2
#define HEADER_V1_SIZE      20 /* magic, version, manifest size: the numbers are big-endian, 64 bits */
#define HEADER_V2_SIZE      24 /* and the size of the metadata signatures, 32 bits */
#define HEADER_SIZE_MAX     HEADER_V2_SIZE
#define MANIFEST_SIZE_MAX   (16 * MIB)
#define SIGNATURES_SIZE_MAX (64 * KIB)

typedef struct PayloadHeader {
        uint64_t version;
        size_t size;                    /* of this header */
        size_t manifest_size;           /* at most MANIFEST_SIZE_MAX */
        size_t metadata_signature_size; /* at most SIGNATURES_SIZE_MAX; 0 in version 1 */
} PayloadHeader;

/*
 * Parses the first size bytes of a payload. Returns 1 when the header is complete, 0 when more
 * bytes are needed (at most HEADER_SIZE_MAX), -EBADMSG as soon as it is known to be wrong.
 */
int header_parse(const uint8_t *data, size_t size, PayloadHeader *ret,
                 PayloadError *error) _must_check_;

/* Writes a header: ret has room for HEADER_SIZE_MAX bytes. Returns its size. */
size_t header_write(const PayloadHeader *header, uint8_t ret[static HEADER_SIZE_MAX]);
