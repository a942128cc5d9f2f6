/*
 * Extent arithmetic: every number from a manifest passes through here before it becomes an
 * offset.
 */
#pragma once

#include "payload/payload.h"

#define EXTENT_HOLE UINT64_MAX /* as start: no blocks of the partition */

typedef struct Extent {
        uint64_t start; /* first block, or EXTENT_HOLE */
        uint64_t n_blocks;
} Extent;

typedef struct ExtentList {
        const Extent *items; /* borrowed from the manifest */
        size_t n_items;
} ExtentList;

static inline bool extent_is_hole(const Extent *extent)
{
        return extent->start == EXTENT_HOLE;
}

/* The number of blocks of size block_size that hold size bytes. */
static inline uint64_t blocks_for(uint64_t size, uint32_t block_size)
{
        return size / block_size + (size % block_size != 0);
}

/* The first block behind extent; false when there is no such number. Not for holes. */
bool extent_end(const Extent *extent, uint64_t *ret) _must_check_;

/* The bytes in all extents together, holes counted; false when that is no 64-bit number. */
bool extents_size(ExtentList list, uint32_t block_size, uint64_t *ret) _must_check_;

/* Sorts extents by their first block: holes come last. */
void extents_sort(Extent *extents, size_t n_extents);

/*
 * Looks at sorted extents that all have an end. Returns true and a block that is in two of them.
 */
bool extents_overlap(const Extent *sorted, size_t n_extents, uint64_t *ret_block);

/*
 * Looks at sorted extents for a block below n_blocks that is in none of them; true and the
 * first one.
 */
bool extents_gap(const Extent *sorted, size_t n_extents, uint64_t n_blocks, uint64_t *ret_block);
