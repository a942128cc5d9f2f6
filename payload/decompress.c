/*
 * The libraries themselves, not libarchive's raw reader over them: only they tell where a
 * stream ended, and a piece with a second stream or other bytes behind the first must be
 * refused.
 */
#include <brotli/decode.h>
#include <bzlib.h>
#include <lzma.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "payload/decompress.h"

typedef struct CodecMethods {
        int (*start)(Decoder *decoder);
        /* Moves input and output on. Returns 1 at the end of the stream, 0 to go on, -errno. */
        int (*step)(Decoder *decoder);
        void (*stop)(Decoder *decoder);
} CodecMethods;

struct Decoder {
        const CodecMethods *methods;
        const uint8_t *input; /* what is left of the piece */
        size_t input_size;
        uint8_t *output; /* the free rest of the caller's buffer */
        size_t output_size;
        bool started;
        bool ended;
        union {
                bz_stream bzip2;
                lzma_stream xz;
                ZSTD_DCtx *zstd;
                BrotliDecoderState *brotli;
        };
};

/* So much of input and output was used. */
static void decoder_move(Decoder *decoder, size_t n_input, size_t n_output)
{
        decoder->input += n_input;
        decoder->input_size -= n_input;
        decoder->output += n_output;
        decoder->output_size -= n_output;
}

static int none_start(_unused_ Decoder *decoder)
{
        return 0;
}

static int none_step(Decoder *decoder)
{
        size_t n = MIN_OF(decoder->input_size, decoder->output_size);

        if (n > 0)
                memcpy(decoder->output, decoder->input, n);
        decoder_move(decoder, n, n);
        return decoder->input_size == 0;
}

static void none_stop(_unused_ Decoder *decoder)
{
}

static int bzip2_start(Decoder *decoder)
{
        return BZ2_bzDecompressInit(&decoder->bzip2, 0, 0) == BZ_OK ? 0 : -ENOMEM;
}

static int bzip2_step(Decoder *decoder)
{
        bz_stream *stream = &decoder->bzip2;
        unsigned input_size = (unsigned)MIN_OF(decoder->input_size, (size_t)GIB);
        unsigned output_size = (unsigned)MIN_OF(decoder->output_size, (size_t)GIB);
        int r;

        stream->next_in = (char *)decoder->input; /* only read, whatever its type says */
        stream->avail_in = input_size;
        stream->next_out = (char *)decoder->output;
        stream->avail_out = output_size;
        r = BZ2_bzDecompress(stream);

        decoder_move(decoder, input_size - stream->avail_in, output_size - stream->avail_out);
        if (r == BZ_MEM_ERROR)
                return -ENOMEM;
        if (r != BZ_OK && r != BZ_STREAM_END)
                return -EBADMSG;
        return r == BZ_STREAM_END;
}

static void bzip2_stop(Decoder *decoder)
{
        (void)BZ2_bzDecompressEnd(&decoder->bzip2); /* fails only for a stream that never began */
}

static int xz_start(Decoder *decoder)
{
        decoder->xz = (lzma_stream)LZMA_STREAM_INIT;
        return lzma_stream_decoder(&decoder->xz, XZ_MEMORY_MAX, 0) == LZMA_OK ? 0 : -ENOMEM;
}

static int xz_step(Decoder *decoder)
{
        lzma_stream *stream = &decoder->xz;
        lzma_ret result;

        stream->next_in = decoder->input;
        stream->avail_in = decoder->input_size;
        stream->next_out = decoder->output;
        stream->avail_out = decoder->output_size;
        result = lzma_code(stream, LZMA_FINISH);

        decoder_move(decoder, decoder->input_size - stream->avail_in,
                     decoder->output_size - stream->avail_out);
        if (result == LZMA_MEM_ERROR)
                return -ENOMEM;
        if (result != LZMA_OK && result != LZMA_STREAM_END)
                return -EBADMSG; /* a dictionary above the limit, too */
        return result == LZMA_STREAM_END;
}

static void xz_stop(Decoder *decoder)
{
        lzma_end(&decoder->xz);
}

/* A skippable frame would be a second stream without data: only a real one may come first. */
static int zstd_start(Decoder *decoder)
{
        static const uint8_t magic[] = { 0x28, 0xB5, 0x2F, 0xFD };

        if (decoder->input_size < sizeof(magic)
            || memcmp(decoder->input, magic, sizeof(magic)) != 0)
                return -EBADMSG;

        decoder->zstd = ZSTD_createDCtx();
        if (!decoder->zstd)
                return -ENOMEM;
        (void)ZSTD_DCtx_setParameter(decoder->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
        return 0;
}

static int zstd_step(Decoder *decoder)
{
        ZSTD_inBuffer input = { decoder->input, decoder->input_size, 0 };
        ZSTD_outBuffer output = { decoder->output, decoder->output_size, 0 };
        size_t left = ZSTD_decompressStream(decoder->zstd, &output, &input);

        if (ZSTD_isError(left))
                return ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation ? -ENOMEM : -EBADMSG;
        decoder_move(decoder, input.pos, output.pos);
        return left == 0;
}

static void zstd_stop(Decoder *decoder)
{
        (void)ZSTD_freeDCtx(decoder->zstd); /* never fails */
}

static int brotli_start(Decoder *decoder)
{
        decoder->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
        return decoder->brotli ? 0 : -ENOMEM;
}

static int brotli_step(Decoder *decoder)
{
        size_t input_size = decoder->input_size, output_size = decoder->output_size;
        const uint8_t *input = decoder->input;
        uint8_t *output = decoder->output;
        BrotliDecoderResult result = BrotliDecoderDecompressStream(
                decoder->brotli, &input_size, &input, &output_size, &output, NULL);

        decoder_move(decoder, decoder->input_size - input_size, decoder->output_size - output_size);
        if (result == BROTLI_DECODER_RESULT_ERROR)
                return -EBADMSG;
        return result == BROTLI_DECODER_RESULT_SUCCESS;
}

static void brotli_stop(Decoder *decoder)
{
        BrotliDecoderDestroyInstance(decoder->brotli);
}

static const CodecMethods codec_table[_CODEC_MAX] = {
        [CODEC_NONE] = { none_start, none_step, none_stop },
        [CODEC_BZIP2] = { bzip2_start, bzip2_step, bzip2_stop },
        [CODEC_XZ] = { xz_start, xz_step, xz_stop },
        [CODEC_ZSTD] = { zstd_start, zstd_step, zstd_stop },
        [CODEC_BROTLI] = { brotli_start, brotli_step, brotli_stop },
};

Decoder *decoder_free(Decoder *decoder)
{
        if (!decoder)
                return NULL;

        if (decoder->started)
                decoder->methods->stop(decoder);
        free(decoder);
        return NULL;
}

int decoder_new(Codec codec, const void *data, size_t size, Decoder **ret)
{
        _cleanup_(decoder_free_p) Decoder *decoder = calloc(1, sizeof(*decoder));
        int r;

        if (!decoder)
                return -ENOMEM;

        decoder->methods = &codec_table[codec];
        decoder->input = data;
        decoder->input_size = size;
        r = decoder->methods->start(decoder);
        if (r < 0)
                return r;

        decoder->started = true;
        *ret = TAKE_PTR(decoder);
        return 0;
}

int decoder_read(Decoder *decoder, void *buffer, size_t size, size_t *ret_size)
{
        int r;

        decoder->output = buffer;
        decoder->output_size = size;
        while (decoder->output_size > 0 && !decoder->ended) {
                size_t left = decoder->output_size, input = decoder->input_size;

                r = decoder->methods->step(decoder);
                if (r < 0)
                        return r;
                decoder->ended = r > 0;
                if (!decoder->ended && left == decoder->output_size && input == decoder->input_size)
                        return -EBADMSG; /* no progress: the data ends before its stream does */
        }
        if (decoder->ended && decoder->input_size > 0)
                return -EBADMSG;

        *ret_size = size - decoder->output_size;
        return 0;
}
