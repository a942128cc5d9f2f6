/*
 * The place an image is written to: never outside it, durable, and read back from the medium.
 */
#pragma once

#include "payload/extents.h"

/*
 * Is the target there and large enough? PAYLOAD_REFUSAL_TARGET_TOO_SMALL otherwise. Changes
 * nothing.
 */
int target_check_size(const PayloadTarget *target, uint64_t image_size, uint64_t image_size_max,
                      PayloadError *error) _must_check_;

/* Gives a resizable target the size of the image. */
int target_resize(const PayloadTarget *target, uint64_t image_size,
                  PayloadError *error) _must_check_;

/*
 * Lets the medium begin to write size bytes at offset, without waiting: what follows finds less
 * to wait for.
 */
void target_flush(const PayloadTarget *target, uint64_t offset, uint64_t size);

/* SHA-256 of the first size bytes of a source. */
int source_hash(const PayloadSource *source, uint64_t size,
                uint8_t ret_sha256[static SHA256_SIZE]) _must_check_;

#define DIRECT_ALIGNMENT 4096 /* of memory, offset and size: enough for O_DIRECT on every disk */

/*
 * A second descriptor for a file that goes past the page cache, or -errno where that is not
 * possible: tmpfs can not do it, and a sandboxed worker may not open what it was given.
 */
int direct_open(int fd, int flags);

/* The whole sectors that hold size bytes. */
size_t direct_size_align(uint64_t size);

/*
 * pread() of exactly size bytes past the page cache into memory for whole sectors. -EINVAL: the medium can not
 * do that, or the file ends; the buffered way tells which.
 */
int direct_pread(int fd, uint8_t *buffer, size_t size, uint64_t offset) _must_check_;

/* A cursor that writes a stream of bytes over a list of extents. */
typedef struct ExtentWriter {
        const PayloadTarget *target;
        uint64_t image_size;
        uint32_t block_size;
        ExtentList extents;
        size_t index;                /* the extent the cursor is in */
        uint64_t position;           /* bytes from its start */
        uint64_t written;            /* bytes altogether, those into holes included */
        const PayloadTarget *direct; /* the same past the page cache, or NULL */
        bool skip_same;              /* read first, and write only what is different */
} ExtentWriter;

/*
 * Writes on. -EFBIG when the data does not fit into the extents and the image; or what pwrite
 * says.
 */
int extent_writer_write(ExtentWriter *writer, const void *data, size_t size) _must_check_;

/* Makes zeros of the rest of the extents, without writing them where the medium can do that. */
int extent_writer_zero(ExtentWriter *writer) _must_check_;

/* Fills the last block up with zeros, as far as the image goes. */
int extent_writer_finish(ExtentWriter *writer) _must_check_;
