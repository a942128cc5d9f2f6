#include <fcntl.h>

#include "base/disk-io.h"
#include "base/io.h"
#include "payload/digest.h"
#include "payload/read-back.h"
#include "payload/target.h"

#define READ_BACK_CHUNK (1 * MIB)

struct ReadBack {
        PayloadTarget target;
        uint64_t image_size;
        uint64_t position; /* hashed so far */
        Digest *digest;
        uint8_t *buffer;
        size_t buffer_size;
        bool cached;
        int direct_fd; /* owned; -1: through the page cache */
};

ReadBack *read_back_free(ReadBack *read_back)
{
        if (!read_back)
                return NULL;

        (void)close_fd(read_back->direct_fd);
        digest_free(read_back->digest);
        free(read_back->buffer);
        free(read_back);
        return NULL;
}

int read_back_new(const PayloadTarget *target, uint64_t image_size, bool cached, ReadBack **ret)
{
        _cleanup_(read_back_free_p) ReadBack *read_back = calloc(1, sizeof(*read_back));
        int r;

        if (!read_back)
                return -ENOMEM;
        read_back->target = *target;
        read_back->image_size = image_size;
        read_back->cached = cached;
        read_back->direct_fd = cached ? -1 : direct_open(target->fd, O_RDONLY);
        read_back->buffer_size =
                direct_size_align(MIN_OF(MAX_OF(image_size, UINT64_C(1)), READ_BACK_CHUNK));
        read_back->buffer = aligned_alloc(DIRECT_ALIGNMENT, read_back->buffer_size);
        if (!read_back->buffer)
                return -ENOMEM;
        r = digest_new(&read_back->digest);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(read_back);
        return 0;
}

static int piece_read(ReadBack *read_back, size_t size, uint64_t offset)
{
        int r = -EINVAL;

        if (read_back->direct_fd >= 0)
                r = direct_pread(read_back->direct_fd, read_back->buffer, size, offset);
        if (r != -EINVAL)
                return r;

        read_back->direct_fd = close_fd(read_back->direct_fd); /* a medium with larger sectors */
        return pread_full(read_back->target.fd, read_back->buffer, size, offset);
}

int read_back_advance(ReadBack *read_back, uint64_t position)
{
        int r;

        position = MIN_OF(position, read_back->image_size);
        while (read_back->position < position) {
                size_t n = (size_t)MIN_OF(position - read_back->position,
                                          (uint64_t)read_back->buffer_size);

                r = piece_read(read_back, n, read_back->target.offset + read_back->position);
                if (r >= 0)
                        r = digest_update(read_back->digest, read_back->buffer, n);
                if (r < 0)
                        return r;
                read_back->position += n;
        }

        return 0;
}

int read_back_feed(ReadBack *read_back, const uint8_t *data, uint64_t size)
{
        static const uint8_t zeros[64 * KIB];
        int r = 0;

        size = MIN_OF(size, read_back->image_size - read_back->position);
        for (uint64_t done = 0, n; done < size && r >= 0; done += n) {
                n = data ? size : MIN_OF(size - done, sizeof(zeros));
                r = digest_update(read_back->digest, data ? data : zeros, (size_t)n);
        }
        if (r < 0)
                return r;

        read_back->position += size;
        return 0;
}

uint64_t read_back_position(const ReadBack *read_back)
{
        return read_back->position;
}

int read_back_sync(ReadBack *read_back)
{
        const PayloadTarget *target = &read_back->target;
        int r;

        r = target->resizable ? disk_io()->sync(target->fd) : disk_io()->sync_data(target->fd);
        if (r < 0)
                return r;

        /*
         * Where there is no O_DIRECT, what is read from now on comes from the medium at least
         * mostly.
         */
        if (!read_back->cached && read_back->direct_fd < 0)
                (void)posix_fadvise(target->fd, (off_t)target->offset, (off_t)read_back->image_size,
                                    POSIX_FADV_DONTNEED);
        return 0;
}

int read_back_sha256(const ReadBack *read_back, uint8_t ret[static SHA256_SIZE])
{
        return digest_peek(read_back->digest, ret);
}
