#include "payload/blocks.h"

#define WORD_BITS 64

struct BlockMap {
        uint64_t n_blocks;
        uint64_t words[];
};

BlockMap *block_map_free(BlockMap *map)
{
        free(map);
        return NULL;
}

int block_map_new(uint64_t n_blocks, BlockMap **ret)
{
        BlockMap *map;

        if (n_blocks > BLOCK_MAP_MAX)
                return -EFBIG;

        map = calloc(1, sizeof(*map) + (size_t)(n_blocks / WORD_BITS + 1) * sizeof(uint64_t));
        if (!map)
                return -ENOMEM;

        map->n_blocks = n_blocks;
        *ret = map;
        return 0;
}

void block_map_add(BlockMap *map, uint64_t start, uint64_t n_blocks)
{
        uint64_t end;

        if (!add_u64(start, n_blocks, &end) || end > map->n_blocks)
                end = map->n_blocks;
        for (uint64_t i = start; i < end; i++)
                map->words[i / WORD_BITS] |= UINT64_C(1) << i % WORD_BITS;
}

static bool block_map_has(const BlockMap *map, uint64_t block)
{
        return block < map->n_blocks && map->words[block / WORD_BITS] >> block % WORD_BITS & 1;
}

bool block_map_run(const BlockMap *map, uint64_t block, uint64_t n_max, uint64_t *ret_n)
{
        bool has = block_map_has(map, block);
        uint64_t n = 1;

        while (n < n_max && block_map_has(map, block + n) == has)
                n++;

        *ret_n = n;
        return has;
}
