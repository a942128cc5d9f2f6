/*
 * A set of blocks: which ones of a partition have been written.
 */
#pragma once

#include "payload/extents.h"

#define BLOCK_MAP_MAX (UINT64_C(1) << 27) /* blocks: 16 MiB of memory */

typedef struct BlockMap BlockMap;

/* All blocks are outside the set at first. -EFBIG for more than BLOCK_MAP_MAX. */
int block_map_new(uint64_t n_blocks, BlockMap **ret) _must_check_;
BlockMap *block_map_free(BlockMap *map);
DEFINE_CLEANUP(BlockMap *, block_map_free);

/* Blocks that the map does not have are left out. */
void block_map_add(BlockMap *map, uint64_t start, uint64_t n_blocks);

/* Is block in the set? *ret_n: so many blocks from there, at most n_max, give the same answer. */
bool block_map_run(const BlockMap *map, uint64_t block, uint64_t n_max, uint64_t *ret_n);
