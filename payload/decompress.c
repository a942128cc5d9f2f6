/*
 * The libraries themselves, not libarchive's raw reader over them: only they tell where a stream ended, and
 * a piece with a second stream or other bytes behind the first must be refused.
 */
#include <bzlib.h>

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
        bz_stream bzip2;
};

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

        decoder->input += input_size - stream->avail_in;
        decoder->input_size -= input_size - stream->avail_in;
        decoder->output += output_size - stream->avail_out;
        decoder->output_size -= output_size - stream->avail_out;
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

static const CodecMethods codec_table[_CODEC_MAX] = {
        [CODEC_BZIP2] = { bzip2_start, bzip2_step, bzip2_stop },
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
