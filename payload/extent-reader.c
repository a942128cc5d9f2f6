#include "payload/extent-reader.h"
#include "base/io.h"

struct ExtentReader {
        ExtentSource source;
        ExtentList extents;
        uint64_t *ends;    /* of each extent, in bytes of the whole run */
        uint8_t *snapshot; /* of the whole run, or NULL */
};

ExtentReader *extent_reader_free(ExtentReader *reader)
{
        if (!reader)
                return NULL;

        free(reader->snapshot);
        free(reader->ends);
        free(reader);
        return NULL;
}

int extent_reader_new(const ExtentSource *source, ExtentList extents, ExtentReader **ret)
{
        _cleanup_(extent_reader_free_p) ExtentReader *reader = calloc(1, sizeof(*reader));
        uint64_t end = 0;

        if (!reader)
                return -ENOMEM;
        reader->source = *source;
        reader->extents = extents;
        reader->ends = calloc(extents.n_items + 1, sizeof(*reader->ends));
        if (!reader->ends)
                return -ENOMEM;

        for (size_t i = 0; i < extents.n_items; i++) {
                end += extents.items[i].n_blocks
                       * source->block_size; /* manifest-check.c added it */
                reader->ends[i] = end;
        }

        *ret = TAKE_PTR(reader);
        return 0;
}

uint64_t extent_reader_size(const ExtentReader *reader)
{
        size_t n = reader->extents.n_items;

        return n > 0 ? reader->ends[n - 1] : 0;
}

/* The extent that holds the byte at position. */
static size_t extent_find(const ExtentReader *reader, uint64_t position)
{
        size_t low = 0, high = reader->extents.n_items;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (reader->ends[middle] <= position)
                        low = middle + 1;
                else
                        high = middle;
        }

        return low;
}

static int base_read(const ExtentSource *source, uint64_t offset, uint8_t *data, size_t size)
{
        size_t n = 0;
        int r;

        if (offset < source->base_size)
                n = (size_t)MIN_OF((uint64_t)size, source->base_size - offset);
        r = pread_full(source->base->fd, data, n, source->base->offset + offset);
        if (r < 0)
                return r;

        memset(data + n, 0, size - n);
        return 0;
}

/* Reads a run of bytes of the partition, in as few pieces as its origin allows. */
static int partition_read(const ExtentSource *source, uint64_t offset, uint8_t *data, size_t size)
{
        int r;

        while (size > 0) {
                uint64_t block = offset / source->block_size, n_blocks, n = size;
                bool written = false;

                if (source->written) {
                        written =
                                block_map_run(source->written, block,
                                              blocks_for(size, source->block_size) + 1, &n_blocks);
                        n = MIN_OF(n, (block + n_blocks) * source->block_size - offset);
                }

                r = written ? pread_full(source->target->fd, data, (size_t)n,
                                         source->target->offset + offset)
                            : base_read(source, offset, data, (size_t)n);
                if (r < 0)
                        return r;
                offset += n;
                data += n;
                size -= (size_t)n;
        }

        return 0;
}

int extent_reader_read(const ExtentReader *reader, uint64_t position, void *data, size_t size)
{
        uint8_t *p = data;
        int r;

        if (size > extent_reader_size(reader) || position > extent_reader_size(reader) - size)
                return -ERANGE;
        if (reader->snapshot) {
                memcpy(data, reader->snapshot + position, size);
                return 0;
        }

        for (size_t i = extent_find(reader, position); size > 0; i++) {
                const Extent *extent = &reader->extents.items[i];
                uint64_t block_size = reader->source.block_size;
                uint64_t start = reader->ends[i] - extent->n_blocks * block_size;
                size_t n = (size_t)MIN_OF((uint64_t)size, reader->ends[i] - position);

                if (extent_is_hole(extent)) {
                        memset(p, 0, n);
                } else {
                        r = partition_read(&reader->source,
                                           extent->start * block_size + (position - start), p, n);
                        if (r < 0)
                                return r;
                }
                position += n;
                p += n;
                size -= n;
        }

        return 0;
}

/* Is one of the blocks start … end - 1 in the set? */
static bool blocks_any(const BlockMap *map, uint64_t start, uint64_t end)
{
        uint64_t n;

        return block_map_run(map, start, end - start, &n) || n < end - start;
}

/* Walks two sorted lists of extents side by side. */
static bool extents_collide(const Extent *a, size_t n_a, const Extent *b, size_t n_b,
                            const BlockMap *written)
{
        size_t i = 0, j = 0;

        while (i < n_a && j < n_b && !extent_is_hole(&a[i]) && !extent_is_hole(&b[j])) {
                uint64_t a_end = a[i].start + a[i].n_blocks, b_end = b[j].start + b[j].n_blocks;
                uint64_t start = MAX_OF(a[i].start, b[j].start), end = MIN_OF(a_end, b_end);

                if (start < end && blocks_any(written, start, end))
                        return true;
                if (a_end < b_end)
                        i++;
                else
                        j++;
        }

        return false;
}

static int lists_collide(ExtentList source, ExtentList target, const BlockMap *written)
{
        size_t n = source.n_items + target.n_items;
        _cleanup_free_ Extent *all = calloc(n + 1, sizeof(*all));
        Extent *second;

        if (!all)
                return -ENOMEM;

        second = all + source.n_items;
        memcpy(all, source.items, source.n_items * sizeof(*all));
        memcpy(second, target.items, target.n_items * sizeof(*all));
        extents_sort(all, source.n_items);
        extents_sort(second, target.n_items);
        return extents_collide(all, source.n_items, second, target.n_items, written);
}

int extent_reader_protect(ExtentReader *reader, ExtentList target)
{
        _cleanup_free_ uint8_t *snapshot = NULL;
        uint64_t size = extent_reader_size(reader);
        int r;

        if (!reader->source.written)
                return 0;
        r = lists_collide(reader->extents, target, reader->source.written);
        if (r <= 0)
                return r;

        if (size > SNAPSHOT_MAX)
                return -EFBIG;
        snapshot = malloc((size_t)size);
        if (!snapshot)
                return -ENOMEM;
        r = extent_reader_read(reader, 0, snapshot, (size_t)size);
        if (r < 0)
                return r;

        reader->snapshot = TAKE_PTR(snapshot);
        return 0;
}
