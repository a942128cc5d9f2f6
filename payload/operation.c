#include "payload/operation.h"
#include "payload/bspatch.h"
#include "payload/decompress.h"
#include "payload/digest.h"
#include "payload/error.h"
#include "payload/target.h"

static ExtentWriter operation_writer(const OperationPlace *place, const Operation *operation)
{
        return (ExtentWriter) {
                .target = place->target,
                .direct = place->direct,
                .skip_same = place->skip_same,
                .image_size = place->image_size,
                .block_size = place->block_size,
                .extents = operation->target,
        };
}

static int write_failed(int r, PayloadError *error)
{
        if (r == -EFBIG)
                return payload_refuse(error, PAYLOAD_REFUSAL_OPERATION,
                                      "its data is larger than its place in the image");
        return payload_fail(error, PAYLOAD_REFUSAL_TARGET_IO, r, "writing the target");
}

/* Later operations of a delta read these blocks from the target. */
static void written_add(const OperationPlace *place, const ExtentWriter *writer)
{
        uint64_t n_left = blocks_for(writer->written, place->block_size);

        for (size_t i = 0; place->written && i < writer->extents.n_items && n_left > 0; i++) {
                const Extent *extent = &writer->extents.items[i];
                uint64_t n = MIN_OF(n_left, extent->n_blocks);

                if (!extent_is_hole(extent))
                        block_map_add(place->written, extent->start, n);
                n_left -= n;
        }
}

static int writer_close(const OperationPlace *place, ExtentWriter *writer,
                        const Operation *operation, PayloadError *error)
{
        int r;

        if (operation->has_target_length && writer->written != operation->target_length)
                return payload_refuse(error, PAYLOAD_REFUSAL_OPERATION,
                                      "its data makes %llu bytes, %llu were announced",
                                      (unsigned long long)writer->written,
                                      (unsigned long long)operation->target_length);

        if (place->exact && !operation->has_target_length
            && writer->written
                       != operation_target_size(operation, place->image_size, place->block_size))
                return payload_refuse(error, PAYLOAD_REFUSAL_OPERATION,
                                      "its data makes %llu bytes, less than its place",
                                      (unsigned long long)writer->written);

        r = extent_writer_finish(writer);
        if (r < 0)
                return write_failed(r, error);

        written_add(place, writer);
        return 0;
}

/* From here on the disk works and the processor waits: another operation may have it. */
static void disk_begin(const OperationPlace *place)
{
        if (place->pool)
                pool_leave(place->pool);
}

static void disk_end(const OperationPlace *place)
{
        if (place->pool)
                pool_enter(place->pool);
}

/* What was written is still in memory: the hasher of the image takes it from there. */
static int output_keep(const OperationPlace *place, const Operation *operation, uint64_t size,
                       PayloadError *error)
{
        const Extent *extent = operation->target.items;
        int r;

        if (operation->target.n_items != 1 || extent_is_hole(extent)
            || size > place->output->capacity)
                return 0;
        switch (place->origin) {
        case OUTPUT_NOT_KEPT:
                return 0;
        case OUTPUT_MADE:
                place->output->size = size;
                return 0;
        case OUTPUT_READ:
                disk_begin(place);
                r = operation_output_read(place->output, place->direct,
                                          extent->start * place->block_size, size);
                disk_end(place);
                return r < 0 ? payload_fail(error, PAYLOAD_REFUSAL_TARGET_IO, r,
                                            "reading back what was written")
                             : 0;
        }

        return 0;
}

static int decode_failed(int r, PayloadError *error)
{
        if (r == -EBADMSG)
                return payload_refuse(error, PAYLOAD_REFUSAL_OPERATION,
                                      "its data is not one whole compressed stream");
        return payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "decompressing");
}

static int operation_unpack(const OperationPlace *place, const Operation *operation, Codec codec,
                            const uint8_t *data, PayloadError *error)
{
        ExtentWriter writer = operation_writer(place, operation);
        _cleanup_(decoder_free_p) Decoder *decoder = NULL;
        size_t n;
        int r;

        r = operation_output_allocate(
                place->output,
                operation_target_size(operation, place->image_size, place->block_size));
        if (r >= 0)
                r = decoder_new(codec, data, (size_t)operation->data_length, &decoder);
        if (r < 0)
                return decode_failed(r, error);

        do {
                r = decoder_read(decoder, place->output->data, place->output->capacity, &n);
                if (r < 0)
                        return decode_failed(r, error);
                disk_begin(place);
                r = extent_writer_write(&writer, place->output->data, n);
                disk_end(place);
                if (r < 0)
                        return write_failed(r, error);
        } while (n == place->output->capacity); /* when all has gone, 0 come */

        r = writer_close(place, &writer, operation, error);
        return r < 0 ? r : output_keep(place, operation, writer.written, error);
}

static int operation_replace(const OperationPlace *place, const Operation *operation,
                             const uint8_t *data, PayloadError *error)
{
        return operation_unpack(place, operation, CODEC_NONE, data, error); /* to aligned memory */
}

static int operation_replace_bz(const OperationPlace *place, const Operation *operation,
                                const uint8_t *data, PayloadError *error)
{
        return operation_unpack(place, operation, CODEC_BZIP2, data, error);
}

static int operation_replace_xz(const OperationPlace *place, const Operation *operation,
                                const uint8_t *data, PayloadError *error)
{
        return operation_unpack(place, operation, CODEC_XZ, data, error);
}

static int operation_replace_zstd(const OperationPlace *place, const Operation *operation,
                                  const uint8_t *data, PayloadError *error)
{
        return operation_unpack(place, operation, CODEC_ZSTD, data, error);
}

/* ZERO, and DISCARD, which means that nobody cares: zeros, so that the image has one SHA-256. */
static int operation_zero(const OperationPlace *place, const Operation *operation,
                          _unused_ const uint8_t *data, PayloadError *error)
{
        ExtentWriter writer = operation_writer(place, operation);
        int r;

        r = extent_writer_zero(&writer);
        if (r < 0)
                return write_failed(r, error);

        written_add(place, &writer);
        if (place->origin == OUTPUT_MADE && operation->target.n_items == 1) {
                place->output->size = writer.written;
                place->output->zeros = true;
        }
        return 0;
}

static int source_failed(int r, PayloadError *error)
{
        if (r == -EFBIG)
                return payload_refuse(error, PAYLOAD_REFUSAL_OPERATION,
                                      "it overwrites too much of its own source: over %llu bytes",
                                      (unsigned long long)SNAPSHOT_MAX);
        return payload_fail(error, PAYLOAD_REFUSAL_TARGET_IO, r, "reading the base");
}

/*
 * The blocks that are going to be used are the right ones: -EBADMSG with *error filled, or
 * -errno.
 */
static int source_verify(const ExtentReader *reader, const Operation *operation,
                         PayloadError *error)
{
        _cleanup_(digest_free_p) Digest *digest = NULL;
        uint64_t size = extent_reader_size(reader);
        size_t chunk = (size_t)MIN_OF(size, DECODER_CHUNK);
        _cleanup_free_ uint8_t *buffer = malloc(chunk);
        uint8_t sha256[SHA256_SIZE];
        int r;

        r = buffer ? digest_new(&digest) : -ENOMEM;
        for (uint64_t position = 0; position < size && r >= 0; position += chunk) {
                size_t n = (size_t)MIN_OF(size - position, (uint64_t)chunk);

                r = extent_reader_read(reader, position, buffer, n);
                if (r >= 0)
                        r = digest_update(digest, buffer, n);
        }
        if (r >= 0)
                r = digest_peek(digest, sha256);
        if (r < 0)
                return r;

        if (memcmp(sha256, operation->source_sha256, SHA256_SIZE) != 0)
                return payload_refuse(
                        error, PAYLOAD_REFUSAL_BASE,
                        "the blocks of the base that it needs are not the right ones");
        return 0;
}

static int source_open(const OperationPlace *place, const Operation *operation, ExtentReader **ret,
                       PayloadError *error)
{
        _cleanup_(extent_reader_free_p) ExtentReader *reader = NULL;
        int r;

        r = extent_reader_new(place->source, operation->source, &reader);
        if (r >= 0 && operation->has_source_sha256) {
                r = source_verify(reader, operation, error);
                if (r == -EBADMSG)
                        return r;
        }
        if (r >= 0)
                r = extent_reader_protect(reader, operation->target);
        if (r < 0)
                return source_failed(r, error);

        *ret = TAKE_PTR(reader);
        return 0;
}

/* Its lengths say how much of the last blocks is in use; whole blocks are moved. */
static int operation_move(const OperationPlace *place, const Operation *operation,
                          _unused_ const uint8_t *data, PayloadError *error)
{
        ExtentWriter writer = operation_writer(place, operation);
        _cleanup_(extent_reader_free_p) ExtentReader *reader = NULL;
        _cleanup_free_ uint8_t *buffer = NULL;
        uint64_t size, position = 0;
        size_t chunk;
        int r;

        r = source_open(place, operation, &reader, error);
        if (r < 0)
                return r;
        /* Whole blocks were compared; the image may end inside the last one. */
        size = MIN_OF(extent_reader_size(reader),
                      operation_target_size(operation, place->image_size, place->block_size));
        chunk = (size_t)MIN_OF(size, DECODER_CHUNK);
        buffer = malloc(chunk);
        if (!buffer)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, -ENOMEM, "moving blocks");

        for (; position < size; position += chunk) {
                size_t n = (size_t)MIN_OF(size - position, (uint64_t)chunk);

                r = extent_reader_read(reader, position, buffer, n);
                if (r < 0)
                        return source_failed(r, error);
                r = extent_writer_write(&writer, buffer, n);
                if (r < 0)
                        return write_failed(r, error);
        }

        written_add(place, &writer);
        return 0;
}

static int operation_bsdiff(const OperationPlace *place, const Operation *operation,
                            const uint8_t *data, PayloadError *error)
{
        ExtentWriter writer = operation_writer(place, operation);
        _cleanup_(extent_reader_free_p) ExtentReader *reader = NULL;
        BspatchParameters parameters = {
                .patch = data,
                .size = (size_t)operation->data_length,
                .any_codec = operation->type == OPERATION_BROTLI_BSDIFF,
                .new_size = operation->has_target_length
                                    ? operation->target_length
                                    : operation_target_size(operation, place->image_size,
                                                            place->block_size),
        };
        int r;

        r = source_open(place, operation, &reader, error);
        if (r < 0)
                return r;
        parameters.old = reader;
        parameters.old_size = operation->has_source_length ? operation->source_length
                                                           : extent_reader_size(reader);
        r = bspatch_apply(&parameters, &writer, error);
        if (r < 0)
                return r;

        return writer_close(place, &writer, operation, error);
}

/*
 * Those without an apply function are Android's own: known, so that they can be refused by
 * their names.
 */
static const OperationKind operation_table[_OPERATION_TYPE_MAX] = {
        [OPERATION_REPLACE] = { "REPLACE", 0, true, false, LENGTHS_FREE, operation_replace },
        [OPERATION_REPLACE_BZ] = { "REPLACE_BZ", 0, true, false, LENGTHS_FREE,
                                   operation_replace_bz },
        [OPERATION_MOVE] = { "MOVE", 1, false, true, LENGTHS_EQUAL, operation_move },
        [OPERATION_BSDIFF] = { "BSDIFF", 1, true, true, LENGTHS_REQUIRED, operation_bsdiff },
        [OPERATION_SOURCE_COPY] = { "SOURCE_COPY", 2, false, true, LENGTHS_EQUAL, operation_move },
        [OPERATION_SOURCE_BSDIFF] = { "SOURCE_BSDIFF", 2, true, true, LENGTHS_FREE,
                                      operation_bsdiff },
        [OPERATION_ZERO] = { "ZERO", 2, false, false, LENGTHS_FREE, operation_zero },
        [OPERATION_DISCARD] = { "DISCARD", 2, false, false, LENGTHS_FREE, operation_zero },
        [OPERATION_REPLACE_XZ] = { "REPLACE_XZ", 2, true, false, LENGTHS_FREE,
                                   operation_replace_xz },
        [OPERATION_PUFFDIFF] = { .name = "PUFFDIFF" },
        [OPERATION_BROTLI_BSDIFF] = { "BROTLI_BSDIFF", 2, true, true, LENGTHS_FREE,
                                      operation_bsdiff },
        [OPERATION_ZUCCHINI] = { .name = "ZUCCHINI" },
        [OPERATION_LZ4DIFF_BSDIFF] = { .name = "LZ4DIFF_BSDIFF" },
        [OPERATION_LZ4DIFF_PUFFDIFF] = { .name = "LZ4DIFF_PUFFDIFF" },
        [OPERATION_REPLACE_ZSTD] = { "REPLACE_ZSTD", 2, true, false, LENGTHS_FREE,
                                     operation_replace_zstd },
};

const OperationKind *operation_kind(OperationType type)
{
        int i = (int)type;

        if (i < 0 || i >= _OPERATION_TYPE_MAX || !operation_table[i].name)
                return NULL;
        return &operation_table[i];
}

static int data_verify(const Operation *operation, const uint8_t *data, PayloadError *error)
{
        uint8_t sha256[SHA256_SIZE];
        int r;

        if (operation->data_length == 0)
                return 0;

        r = digest_of(data, (size_t)operation->data_length, sha256);
        if (r < 0)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "hashing its data");
        if (memcmp(sha256, operation->sha256, SHA256_SIZE) != 0)
                return payload_refuse(error, PAYLOAD_REFUSAL_OPERATION_HASH,
                                      "its data has the wrong SHA-256");
        return 0;
}

int operation_run(const OperationPlace *place, const Operation *operation, const uint8_t *data,
                  PayloadError *error)
{
        int r;

        place->output->size = 0;
        place->output->zeros = false;
        r = data_verify(operation, data, error);
        if (r < 0 || place->target->fd < 0)
                return r;

        return operation_kind(operation->type)->apply(place, operation, data, error);
}

int operation_keep(const OperationPlace *place, const Extent *blocks, PayloadError *error)
{
        Operation move = {
                .type = OPERATION_MOVE,
                .source = { blocks, 1 },
                .target = { blocks, 1 },
        };

        return operation_move(place, &move, NULL, error);
}
