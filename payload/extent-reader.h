/*
 * Reads the source of a delta operation: a list of extents as one run of bytes, at any place of
 * it.
 *
 * The deltas of format version 1 were made for a slot that first gets a copy of the base and is
 * then changed in place. Nothing is copied here: a block that an earlier operation has written
 * is read from the target, every other one from the base, which gives the same bytes.
 */
#pragma once

#include "payload/blocks.h"
#include "payload/payload.h"

/* When an operation overwrites what it still has to read, its source is kept in memory. */
#define SNAPSHOT_MAX (64 * MIB)

typedef struct ExtentSource {
        const PayloadSource *base;   /* borrowed */
        uint64_t base_size;          /* of the old image; behind it are zeros */
        const PayloadTarget *target; /* borrowed */
        const BlockMap *written;     /* borrowed; NULL: everything comes from the base */
        uint32_t block_size;
} ExtentSource;

typedef struct ExtentReader ExtentReader;

/* The extents stay the caller's, and must stay as long as the reader. */
int extent_reader_new(const ExtentSource *source, ExtentList extents,
                      ExtentReader **ret) _must_check_;
ExtentReader *extent_reader_free(ExtentReader *reader);
DEFINE_CLEANUP(ExtentReader *, extent_reader_free);

/* Bytes in all extents together. */
uint64_t extent_reader_size(const ExtentReader *reader);

/*
 * Makes the reader safe against writes to target extents: if it reads blocks from there,
 * everything is read now. -EFBIG when that is more than SNAPSHOT_MAX.
 */
int extent_reader_protect(ExtentReader *reader, ExtentList target) _must_check_;

/* Reads size bytes at position; all of them must be inside the extents. */
int extent_reader_read(const ExtentReader *reader, uint64_t position, void *data,
                       size_t size) _must_check_;
