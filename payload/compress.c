#include <bzlib.h>
#include <lzma.h>
#include <zstd.h>
#include <zstd_errors.h>

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

static int compress_xz(unsigned level, const void *data, size_t size, void *output, size_t size_max,
                       size_t *ret_size)
{
        lzma_options_lzma options;
        const lzma_filter filters[] = { { LZMA_FILTER_LZMA2, &options },
                                        { LZMA_VLI_UNKNOWN, NULL } };
        lzma_ret result;

        if (lzma_lzma_preset(&options, level))
                return -EINVAL;
        /*
         * The decoder needs as much memory as the dictionary has; more than the data is of no
         * use.
         */
        options.dict_size = (uint32_t)MAX_OF(MIN_OF(size, (size_t)options.dict_size),
                                             (size_t)LZMA_DICT_SIZE_MIN);

        *ret_size = 0;
        result = lzma_stream_buffer_encode((lzma_filter *)filters, LZMA_CHECK_CRC32, NULL, data,
                                           size, output, ret_size, size_max);
        if (result == LZMA_BUF_ERROR)
                return -ENOSPC;
        return result == LZMA_OK ? 0
                                 : -ENOMEM; /* the arguments are right, so nothing else can fail */
}

static int compress_zstd(unsigned level, const void *data, size_t size, void *output,
                         size_t size_max, size_t *ret_size)
{
        size_t n = ZSTD_compress(output, size_max, data, size, (int)level);

        if (ZSTD_isError(n))
                return ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall ? -ENOSPC : -ENOMEM;
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
        [COMPRESSION_XZ] = { 6, 9, compress_xz },
        [COMPRESSION_ZSTD] = { 9, 19, compress_zstd },
};

static const char *const compression_table[_COMPRESSION_MAX] = {
        [COMPRESSION_NONE] = "none",
        [COMPRESSION_BZIP2] = "bzip2",
        [COMPRESSION_XZ] = "xz",
        [COMPRESSION_ZSTD] = "zstd",
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
