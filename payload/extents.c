#include "payload/extents.h"

bool extent_end(const Extent *extent, uint64_t *ret)
{
        return add_u64(extent->start, extent->n_blocks, ret);
}

bool extents_size(ExtentList list, uint32_t block_size, uint64_t *ret)
{
        uint64_t blocks = 0;

        for (size_t i = 0; i < list.n_items; i++)
                if (!add_u64(blocks, list.items[i].n_blocks, &blocks))
                        return false;

        return mul_u64(blocks, block_size, ret);
}

static int extent_compare(const void *a, const void *b)
{
        const Extent *x = a, *y = b;

        return (x->start > y->start) - (x->start < y->start);
}

void extents_sort(Extent *extents, size_t n_extents)
{
        if (n_extents > 0)
                qsort(extents, n_extents, sizeof(*extents), extent_compare);
}

bool extents_overlap(const Extent *sorted, size_t n_extents, uint64_t *ret_block)
{
        uint64_t end = 0;

        for (size_t i = 0; i < n_extents && !extent_is_hole(&sorted[i]); i++) {
                if (i > 0 && sorted[i].start < end) {
                        *ret_block = sorted[i].start;
                        return true;
                }
                end = sorted[i].start + sorted[i].n_blocks;
        }

        return false;
}

bool extents_gap(const Extent *sorted, size_t n_extents, uint64_t n_blocks, uint64_t *ret_block)
{
        uint64_t end = 0;

        for (size_t i = 0; i < n_extents && !extent_is_hole(&sorted[i]); i++) {
                if (sorted[i].start > end)
                        break;
                end = MAX_OF(end, sorted[i].start + sorted[i].n_blocks);
        }

        *ret_block = end;
        return end < n_blocks;
}
