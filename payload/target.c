#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/disk-io.h"
#include "base/io.h"
#include "payload/error.h"
#include "payload/manifest.h"
#include "payload/read-back.h"
#include "payload/target.h"

#define SAME_CHUNK (64 * KIB) /* so much is compared at once */

int target_check_size(const PayloadTarget *target, uint64_t image_size, uint64_t image_size_max,
                      PayloadError *error)
{
        uint64_t most = target->resizable && target->size == 0 ? UINT64_MAX : target->size;
        uint64_t end;

        if (image_size_max > 0)
                most = MIN_OF(most, image_size_max);
        if (image_size > most)
                return payload_refuse(error, PAYLOAD_REFUSAL_TARGET_TOO_SMALL,
                                      "the image has %llu bytes, the target has room for %llu",
                                      (unsigned long long)image_size, (unsigned long long)most);
        if (!add_u64(target->offset, image_size, &end) || end > INT64_MAX)
                return payload_refuse(error, PAYLOAD_REFUSAL_TARGET_TOO_SMALL,
                                      "the image ends behind the largest file offset");
        return 0;
}

/*
 * A new file gets its blocks at once: else each write takes them, and writes past the page cache wait for one
 * another. An image with holes may need fewer than there are: then it is done without.
 */
static int target_allocate(const PayloadTarget *target, uint64_t image_size)
{
        struct stat status;
        int r;

        r = RET_ERRNO(fstat(target->fd, &status));
        if (r < 0 || status.st_size > 0)
                return r;
        r = disk_io()->allocate(target->fd, target->offset + image_size);
        return r < 0 ? disk_io()->truncate(target->fd, 0) : 0;
}

int target_resize(const PayloadTarget *target, uint64_t image_size, PayloadError *error)
{
        int r;

        if (!target->resizable)
                return 0;

        r = target_allocate(target, image_size);
        if (r >= 0)
                r = disk_io()->truncate(target->fd, target->offset + image_size);
        if (r < 0)
                return payload_fail(error, PAYLOAD_REFUSAL_TARGET_IO, r, "resizing the target");
        return 0;
}

void target_flush(const PayloadTarget *target, uint64_t offset, uint64_t size)
{
        (void)sync_file_range(
                target->fd, (off_t)(target->offset + offset), (off_t)size,
                SYNC_FILE_RANGE_WRITE); /* only sooner or later: the sync comes at the end */
}

int source_hash(const PayloadSource *source, uint64_t size, uint8_t ret_sha256[static SHA256_SIZE])
{
        PayloadTarget target = { .fd = source->fd, .offset = source->offset };
        _cleanup_(read_back_free_p) ReadBack *read_back = NULL;
        int r;

        r = read_back_new(&target, size, true, &read_back);
        if (r < 0)
                return r;
        r = read_back_advance(read_back, size);
        if (r < 0)
                return r;

        return read_back_sha256(read_back, ret_sha256);
}

/* The part of an extent from position on, in bytes of the image; clipped where the image ends. */
static uint64_t extent_writer_room(const ExtentWriter *writer, uint64_t *ret_offset)
{
        const Extent *extent = &writer->extents.items[writer->index];
        uint64_t room = extent->n_blocks * writer->block_size - writer->position;

        if (extent_is_hole(extent))
                return room;
        *ret_offset = extent->start * writer->block_size + writer->position;
        if (*ret_offset >= writer->image_size)
                return 0;
        return MIN_OF(room, writer->image_size - *ret_offset);
}

static void extent_writer_move(ExtentWriter *writer, uint64_t n)
{
        const Extent *extent = &writer->extents.items[writer->index];

        writer->position += n;
        if (writer->position == extent->n_blocks * writer->block_size) {
                writer->index++;
                writer->position = 0;
        }
}

int direct_open(int fd, int flags)
{
        char path[sizeof("/proc/self/fd/") + DECIMAL_MAX];

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        return disk_io()->open(path, flags | O_CLOEXEC | O_DIRECT, 0);
}

size_t direct_size_align(uint64_t size)
{
        return (size_t)((size + DIRECT_ALIGNMENT - 1) / DIRECT_ALIGNMENT * DIRECT_ALIGNMENT);
}

int direct_pread(int fd, uint8_t *buffer, size_t size, uint64_t offset)
{
        ssize_t n;

        do
                n = disk_io()->pread(fd, buffer, direct_size_align(size), offset);
        while (n == -EINTR);
        if (n < 0)
                return (int)n;
        return (size_t)n >= size ? 0 : -EINVAL;
}

/* What can go past the page cache does; the rest, as a block that ends the image, does not. */
static int extent_writer_put(const ExtentWriter *writer, const uint8_t *p, size_t n,
                             uint64_t offset)
{
        ssize_t done = 0;

        if (n == 0)
                return 0;
        if (writer->direct && ((uintptr_t)p | n | offset) % DIRECT_ALIGNMENT == 0)
                done = disk_io()->pwrite(writer->direct->fd, p, n, offset);
        if (done < 0 && done != -EINVAL && done != -EINTR)
                return (int)done;

        done = MAX_OF(done, 0); /* a medium with larger sectors, or a short write */
        return pwrite_full(writer->target->fd, p + done, n - (size_t)done, offset + (uint64_t)done);
}

/* Does the medium hold these bytes already? What can not be read is not the same. */
static bool extent_writer_same(const ExtentWriter *writer, const uint8_t *p, size_t n,
                               uint64_t offset)
{
        uint8_t there[SAME_CHUNK];

        return pread_full(writer->target->fd, there, n, offset) == 0 && memcmp(there, p, n) == 0;
}

/* Writes the stretches that are different, each at once. */
static int extent_writer_update(const ExtentWriter *writer, const uint8_t *p, size_t n,
                                uint64_t offset)
{
        size_t written = 0, step;
        int r;

        for (size_t i = 0; i < n; i += step) {
                step = MIN_OF(n - i, (size_t)SAME_CHUNK);
                if (!extent_writer_same(writer, p + i, step, offset + i))
                        continue;
                r = extent_writer_put(writer, p + written, i - written, offset + written);
                if (r < 0)
                        return r;
                written = i + step;
        }

        return extent_writer_put(writer, p + written, n - written, offset + written);
}

int extent_writer_write(ExtentWriter *writer, const void *data, size_t size)
{
        const uint8_t *p = data;
        int r;

        while (size > 0) {
                uint64_t offset = 0, n;

                if (writer->index == writer->extents.n_items)
                        return -EFBIG;
                n = MIN_OF((uint64_t)size, extent_writer_room(writer, &offset));
                if (n == 0)
                        return -EFBIG;

                if (!extent_is_hole(&writer->extents.items[writer->index])) {
                        offset += writer->target->offset;
                        r = writer->skip_same ? extent_writer_update(writer, p, (size_t)n, offset)
                                              : extent_writer_put(writer, p, (size_t)n, offset);
                        if (r < 0)
                                return r == -EFBIG ? -EIO : r;
                }
                extent_writer_move(writer, n);
                writer->written += n;
                p += n;
                size -= (size_t)n;
        }

        return 0;
}

/* Without writing where the medium can do that; else with written zeros. */
static int medium_zero(int fd, uint64_t offset, uint64_t size)
{
        static const uint8_t zeros[BLOCK_SIZE_MAX];
        int r;

        r = disk_io()->zero(fd, offset, size);
        if (r != -EOPNOTSUPP)
                return r;

        r = 0;
        for (uint64_t done = 0; done < size && r >= 0; done += sizeof(zeros))
                r = pwrite_full(fd, zeros, (size_t)MIN_OF(size - done, sizeof(zeros)),
                                offset + done);
        return r;
}

int extent_writer_zero(ExtentWriter *writer)
{
        int r;

        while (writer->index < writer->extents.n_items) {
                const Extent *extent = &writer->extents.items[writer->index];
                uint64_t offset = 0, n = extent_writer_room(writer, &offset);

                if (!extent_is_hole(extent) && n > 0) {
                        r = medium_zero(writer->target->fd, writer->target->offset + offset, n);
                        if (r < 0)
                                return r;
                }
                writer->written += n;
                writer->position = 0;
                writer->index++;
        }

        return 0;
}

int extent_writer_finish(ExtentWriter *writer)
{
        static const uint8_t zeros[BLOCK_SIZE_MAX];
        uint64_t rest = writer->position % writer->block_size, offset, padding;

        if (rest == 0 || extent_is_hole(&writer->extents.items[writer->index]))
                return 0;

        padding = MIN_OF(writer->block_size - rest, extent_writer_room(writer, &offset));
        return pwrite_full(writer->target->fd, zeros, (size_t)padding,
                           writer->target->offset + offset);
}
