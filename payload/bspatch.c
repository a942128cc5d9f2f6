#include <endian.h>

#include "payload/bspatch.h"
#include "payload/decompress.h"
#include "payload/error.h"

#define PATCH_MAGIC       "BSDIFF40" /* all streams are bzip2 */
#define PATCH_MAGIC_2     "BSDF2"    /* three bytes name the compression of the streams */
#define PATCH_NUMBER      8 /* bytes of a number: little-endian, with the sign in the highest bit */
#define PATCH_HEADER_SIZE (4 * PATCH_NUMBER)
#define PATCH_CHUNK       (256 * KIB)
#define PATCH_IDLE_MAX    65536 /* steps without data: a few are normal, endlessly many an attack */

/*
 * One step: add diff bytes to old ones, then take extra bytes as they are, then move in the old
 * data.
 */
typedef struct PatchStep {
        int64_t diff;
        int64_t extra;
        int64_t seek;
} PatchStep;

typedef struct Patch {
        Decoder *control;
        Decoder *diff;
        Decoder *extra;
        const ExtentReader *old;
        uint64_t old_size;
        int64_t old_position; /* may be outside of the old data: there it adds nothing */
        ExtentWriter *writer;
        uint64_t left; /* bytes of the new data that are still to come */
        size_t chunk;  /* the size of the buffers */
        uint8_t *buffer;
        uint8_t *old_buffer;
} Patch;

static void patch_done(Patch *patch)
{
        decoder_free(patch->control);
        decoder_free(patch->diff);
        decoder_free(patch->extra);
        free(patch->buffer);
        free(patch->old_buffer);
}

static int64_t read_number(const uint8_t *data)
{
        uint64_t number;
        int64_t magnitude;

        memcpy(&number, data, sizeof(number));
        number = le64toh(number);
        magnitude = (int64_t)(number & INT64_MAX);
        return number >> 63 ? -magnitude : magnitude;
}

static int patch_refuse(PayloadError *error, const char *why)
{
        return payload_refuse(error, PAYLOAD_REFUSAL_OPERATION, "its patch %s", why);
}

#define N_STREAMS 3 /* control, diff, extra */

/* What BSDF2 calls them, and what we do. */
static const Codec patch_codecs[] = { CODEC_NONE, CODEC_BZIP2, CODEC_BROTLI };

static int patch_codecs_read(const BspatchParameters *parameters, Codec ret[static N_STREAMS],
                             PayloadError *error)
{
        const uint8_t *data = parameters->patch;
        size_t n = strlen(PATCH_MAGIC_2);

        for (size_t i = 0; i < N_STREAMS; i++)
                ret[i] = CODEC_BZIP2;
        if (parameters->size < PATCH_HEADER_SIZE)
                return patch_refuse(error, "is too short");
        if (memcmp(data, PATCH_MAGIC, PATCH_NUMBER) == 0)
                return 0;
        if (!parameters->any_codec || memcmp(data, PATCH_MAGIC_2, n) != 0)
                return patch_refuse(error, "does not begin with " PATCH_MAGIC);

        for (size_t i = 0; i < N_STREAMS; i++) {
                if (data[n + i] >= ELEMENTSOF(patch_codecs))
                        return patch_refuse(error, "has a compression that is not known");
                ret[i] = patch_codecs[data[n + i]];
        }
        return 0;
}

static int patch_open(Patch *patch, const BspatchParameters *parameters, PayloadError *error)
{
        Decoder **streams[N_STREAMS] = { &patch->control, &patch->diff, &patch->extra };
        const uint8_t *data = parameters->patch;
        Codec codecs[N_STREAMS];
        int64_t sizes[N_STREAMS]; /* in the header the last one is that of the new data */
        uint64_t rest = parameters->size - PATCH_HEADER_SIZE;
        int r;

        r = patch_codecs_read(parameters, codecs, error);
        if (r < 0)
                return r;

        for (size_t i = 0; i < N_STREAMS; i++)
                sizes[i] = read_number(data + (i + 1) * PATCH_NUMBER);
        if (sizes[2] < 0 || (uint64_t)sizes[2] != parameters->new_size)
                return patch_refuse(error, "is for another size of the new data");
        if (sizes[0] < 0 || sizes[1] < 0 || (uint64_t)sizes[0] > rest
            || (uint64_t)sizes[1] > rest - (uint64_t)sizes[0])
                return patch_refuse(error, "has streams that are longer than itself");
        sizes[2] = (int64_t)rest - sizes[0] - sizes[1];

        data += PATCH_HEADER_SIZE;
        for (size_t i = 0; i < N_STREAMS && r >= 0; i++) {
                r = decoder_new(codecs[i], data, (size_t)sizes[i], streams[i]);
                data += sizes[i];
        }
        if (r >= 0) {
                patch->chunk = (size_t)MIN_OF(MAX_OF(patch->left, UINT64_C(1)), PATCH_CHUNK);
                patch->buffer = malloc(patch->chunk);
                patch->old_buffer = malloc(patch->chunk);
                r = patch->buffer && patch->old_buffer ? 0 : -ENOMEM;
        }
        return r < 0 ? payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "opening the patch") : 0;
}

/* Exactly size bytes; a stream that ends before them is an error of the patch. */
static int stream_read(Decoder *stream, void *data, size_t size, PayloadError *error)
{
        size_t n;
        int r;

        r = decoder_read(stream, data, size, &n);
        if (r == -EBADMSG || (r >= 0 && n != size))
                return patch_refuse(error, "has a damaged stream");
        if (r < 0)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "decompressing the patch");
        return 0;
}

/* Adds what the old data has at the current position, as far as there is any. */
static int chunk_add_old(Patch *patch, size_t size, PayloadError *error)
{
        int64_t first = MAX_OF(patch->old_position, (int64_t)0), end;
        size_t skip, n;
        int r;

        if (__builtin_add_overflow(patch->old_position, (int64_t)size, &end))
                return patch_refuse(error, "moves out of all bounds");
        end = (int64_t)MIN_OF((uint64_t)MAX_OF(end, (int64_t)0), patch->old_size);
        patch->old_position += (int64_t)size;
        if (first >= end)
                return 0;

        n = (size_t)(end - first);
        skip = size - (size_t)(patch->old_position - first);
        r = extent_reader_read(patch->old, (uint64_t)first, patch->old_buffer, n);
        if (r < 0)
                return payload_fail(error, PAYLOAD_REFUSAL_TARGET_IO, r, "reading the base");
        for (size_t i = 0; i < n; i++)
                patch->buffer[skip + i] = (uint8_t)(patch->buffer[skip + i] + patch->old_buffer[i]);
        return 0;
}

static int chunk_write(Patch *patch, size_t size, PayloadError *error)
{
        int r = extent_writer_write(patch->writer, patch->buffer, size);

        if (r == -EFBIG)
                return payload_refuse(error, PAYLOAD_REFUSAL_OPERATION,
                                      "its data is larger than its place in the image");
        if (r < 0)
                return payload_fail(error, PAYLOAD_REFUSAL_TARGET_IO, r, "writing the target");
        patch->left -= size;
        return 0;
}

static int patch_copy(Patch *patch, Decoder *stream, bool add, int64_t size, PayloadError *error)
{
        int r;

        if (size < 0 || (uint64_t)size > patch->left)
                return patch_refuse(error, "makes more than its new data");

        while (size > 0) {
                size_t n = (size_t)MIN_OF((uint64_t)size, (uint64_t)patch->chunk);

                r = stream_read(stream, patch->buffer, n, error);
                if (r >= 0 && add)
                        r = chunk_add_old(patch, n, error);
                if (r >= 0)
                        r = chunk_write(patch, n, error);
                if (r < 0)
                        return r;
                size -= (int64_t)n;
        }

        return 0;
}

static int patch_step(Patch *patch, const PatchStep *step, PayloadError *error)
{
        int r;

        r = patch_copy(patch, patch->diff, true, step->diff, error);
        if (r < 0)
                return r;
        r = patch_copy(patch, patch->extra, false, step->extra, error);
        if (r < 0)
                return r;

        if (__builtin_add_overflow(patch->old_position, step->seek, &patch->old_position))
                return patch_refuse(error, "moves out of all bounds");
        return 0;
}

/* The whole of each stream was used, and nothing is behind it. */
static int patch_end(Patch *patch, PayloadError *error)
{
        Decoder *streams[] = { patch->control, patch->diff, patch->extra };
        uint8_t byte;
        size_t n;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(streams); i++) {
                r = decoder_read(streams[i], &byte, 1, &n);
                if (r < 0 || n > 0)
                        return patch_refuse(error, "has more than its new data needs");
        }

        return 0;
}

static int patch_run(Patch *patch, PayloadError *error)
{
        unsigned n_idle = 0;
        uint8_t data[3 * PATCH_NUMBER];
        int r;

        while (patch->left > 0) {
                PatchStep step;

                r = stream_read(patch->control, data, sizeof(data), error);
                if (r < 0)
                        return r;
                step = (PatchStep) {
                        .diff = read_number(data),
                        .extra = read_number(data + PATCH_NUMBER),
                        .seek = read_number(data + 2 * PATCH_NUMBER),
                };
                if (step.diff == 0 && step.extra == 0 && ++n_idle > PATCH_IDLE_MAX)
                        return patch_refuse(error, "has too many steps without data");
                r = patch_step(patch, &step, error);
                if (r < 0)
                        return r;
        }

        return patch_end(patch, error);
}

int bspatch_apply(const BspatchParameters *parameters, ExtentWriter *writer, PayloadError *error)
{
        _cleanup_(patch_done) Patch patch = {
                .old = parameters->old,
                .old_size = parameters->old_size,
                .writer = writer,
                .left = parameters->new_size,
        };
        int r;

        r = patch_open(&patch, parameters, error);
        if (r < 0)
                return r;

        return patch_run(&patch, error);
}
