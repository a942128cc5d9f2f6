#include <bzlib.h>

#include "base/string-table.h"
#include "payload/compress.h"

static int compress_bzip2(unsigned level, const void *data, size_t size, void *output,
                          size_t size_max, size_t *ret_size)
{
        unsigned n = (unsigned)MIN_OF(size_max, (size_t)GIB);
        int r = BZ2_bzBuffToBuffCompress(output, &n, (char *)data, (unsigned)size, (int)level, 0,
                                         0);

        if (r == BZ_OUTBUFF_FULL)
                return -ENOSPC;
        if (r != BZ_OK)
                return -ENOMEM; /* the arguments are right, so nothing else can fail */
        *ret_size = n;
        return 0;
}

typedef struct Compressor {
        unsigned level_default;
        unsigned level_max;
        int (*compress)(unsigned level, const void *data, size_t size, void *output,
                        size_t size_max, size_t *ret_size);
} Compressor;

static const Compressor compressors[_COMPRESSION_MAX] = {
        [COMPRESSION_BZIP2] = { 9, 9, compress_bzip2 },
};

static const char *const compression_table[_COMPRESSION_MAX] = {
        [COMPRESSION_NONE] = "none",
        [COMPRESSION_BZIP2] = "bzip2",
};

DEFINE_STRING_TABLE(compression, Compression);

unsigned compression_level_default(Compression compression)
{
        return compressors[compression].level_default;
}

unsigned compression_level_max(Compression compression)
{
        return compressors[compression].level_max;
}

int compress(Compression compression, unsigned level, const void *data, size_t size, void *output,
             size_t size_max, size_t *ret_size)
{
        if (!compressors[compression].compress)
                return -ENOSPC;
        return compressors[compression].compress(level, data, size, output, size_max, ret_size);
}
