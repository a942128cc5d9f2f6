#include "payload/writer.h"
#include "base/io.h"
#include "base/text.h"
#include "payload/digest.h"
#include "payload/header.h"
#include "payload/manifest-writer.h"
#include "payload/pool.h"

#define WRITER_CHUNK (1 * MIB)
#define CHUNK_BLOCKS (WRITER_CHUNK / BLOCK_SIZE_DEFAULT)
#define ARRAY_MIN    64 /* a power of two */

/* One piece of an image on its way through the pool. */
typedef struct ChunkJob {
        PoolJob job; /* first: the pool sees only this */
        Compression compression;
        unsigned level;
        uint8_t *input;
        size_t input_size;
        uint8_t *output;
        const uint8_t *data; /* what goes into the payload: one of the two */
        size_t data_size;
        uint8_t sha256[SHA256_SIZE];
        bool find_zeros;
        OperationType type;
        int result;
} ChunkJob;

struct PayloadWriter {
        WriterParameters parameters;
        Pool *pool;
        ChunkJob *jobs;
        size_t n_jobs;
        Manifest manifest; /* arrays owned; pointers between them are set by writer_link() */
        uint64_t progress;
};

static const OperationType operation_types[_COMPRESSION_MAX] = {
        [COMPRESSION_NONE] = OPERATION_REPLACE,
        [COMPRESSION_BZIP2] = OPERATION_REPLACE_BZ,
        [COMPRESSION_XZ] = OPERATION_REPLACE_XZ,
        [COMPRESSION_ZSTD] = OPERATION_REPLACE_ZSTD,
};

static bool memory_is_zero(const uint8_t *data, size_t size)
{
        return data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

static void chunk_job_work(PoolJob *job)
{
        ChunkJob *chunk = (ChunkJob *)job;
        size_t size;
        int r;

        if (chunk->find_zeros && memory_is_zero(chunk->input, chunk->input_size)) {
                chunk->type = OPERATION_ZERO;
                chunk->data_size = 0;
                chunk->result = 0;
                return;
        }

        chunk->type = OPERATION_REPLACE;
        chunk->data = chunk->input;
        chunk->data_size = chunk->input_size;
        r = compress(chunk->compression, chunk->level, chunk->input, chunk->input_size,
                     chunk->output, chunk->input_size - 1, &size);
        if (r == 0) {
                chunk->type = operation_types[chunk->compression];
                chunk->data = chunk->output;
                chunk->data_size = size;
        }

        chunk->result =
                r < 0 && r != -ENOSPC ? r : digest_of(chunk->data, chunk->data_size, chunk->sha256);
}

PayloadWriter *writer_free(PayloadWriter *writer)
{
        if (!writer)
                return NULL;

        pool_free(writer->pool);
        for (size_t i = 0; i < writer->n_jobs; i++) {
                free(writer->jobs[i].input);
                free(writer->jobs[i].output);
        }
        free(writer->jobs);
        for (size_t i = 0; i < writer->manifest.n_partitions; i++) {
                free(writer->manifest.partitions[i].name);
                free(writer->manifest.partitions[i].version);
        }
        free(writer->manifest.minimum_engine);
        free(writer->manifest.partitions);
        free(writer->manifest.operations);
        free(writer->manifest.extents);
        free(writer);
        return NULL;
}

static int writer_allocate_jobs(PayloadWriter *writer, size_t n)
{
        writer->jobs = calloc(n, sizeof(*writer->jobs));
        if (!writer->jobs)
                return -ENOMEM;

        for (writer->n_jobs = 0; writer->n_jobs < n; writer->n_jobs++) {
                ChunkJob *job = &writer->jobs[writer->n_jobs];

                job->compression = writer->parameters.compression;
                job->level = writer->parameters.level;
                job->find_zeros = writer->parameters.version == HEADER_VERSION_2;
                job->input = malloc(WRITER_CHUNK);
                job->output = malloc(WRITER_CHUNK);
                if (!job->input || !job->output) {
                        writer->n_jobs++;
                        return -ENOMEM;
                }
        }

        return 0;
}

int writer_new(const WriterParameters *parameters, PayloadWriter **ret)
{
        _cleanup_(writer_free_p) PayloadWriter *writer = calloc(1, sizeof(*writer));
        unsigned threads = MIN_OF(MAX_OF(parameters->jobs, 1U), (unsigned)POOL_THREADS_MAX);
        int r;

        if (!writer)
                return -ENOMEM;

        writer->parameters = *parameters;
        writer->manifest.version = parameters->version;
        writer->manifest.block_size = BLOCK_SIZE_DEFAULT;
        writer->manifest.timestamp = parameters->timestamp;
        writer->manifest.expires = parameters->expires;
        r = text_set(&writer->manifest.minimum_engine, parameters->minimum_engine);
        if (r < 0)
                return r;
        r = writer_allocate_jobs(writer, threads == 1 ? 1 : 2 * (size_t)threads);
        if (r < 0)
                return r;
        r = pool_new(threads == 1 ? 0 : threads, chunk_job_work, &writer->pool);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(writer);
        return 0;
}

/*
 * Makes room for one more item: whenever an array is full at 64, 128, 256 … items, it is
 * doubled.
 */
static int array_grow(void **array, size_t n_items, size_t item_size)
{
        size_t n = n_items == 0 ? ARRAY_MIN : 2 * n_items;
        void *grown;

        if (n_items > 0 && (n_items < ARRAY_MIN || !is_power_of_two(n_items)))
                return 0;

        grown = reallocarray(*array, n, item_size);
        if (!grown)
                return -ENOMEM;
        *array = grown;
        return 0;
}

/* For one more operation, with one extent. */
static int manifest_make_room(Manifest *manifest)
{
        int r;

        if (manifest->n_operations == OPERATIONS_MAX)
                return -EFBIG;
        r = array_grow((void **)&manifest->operations, manifest->n_operations,
                       sizeof(*manifest->operations));
        return r < 0 ? r
                     : array_grow((void **)&manifest->extents, manifest->n_extents,
                                  sizeof(*manifest->extents));
}

/* The operation that makes the next blocks of the partition under way from the chunk. */
static void manifest_add_chunk(Manifest *manifest, const ChunkJob *chunk)
{
        Partition *partition = &manifest->partitions[manifest->n_partitions - 1];
        Operation *operation = &manifest->operations[manifest->n_operations++];

        *operation = (Operation) {
                .type = chunk->type,
                .data_offset = manifest->data_size,
                .data_length = chunk->data_size,
                .has_sha256 = chunk->data_size > 0,
        };
        memcpy(operation->sha256, chunk->sha256, SHA256_SIZE);
        /* Version 1: the whole piece at the end too, as the original generator has it. */
        manifest->extents[manifest->n_extents++] = (Extent) {
                .start = partition->n_operations++ * CHUNK_BLOCKS,
                .n_blocks = manifest->version == HEADER_VERSION_1
                                    ? CHUNK_BLOCKS
                                    : blocks_for(chunk->input_size, BLOCK_SIZE_DEFAULT),
        };
        manifest->data_size += chunk->data_size;
}

/*
 * Takes the oldest piece back from the pool: its data goes to the data file, an operation to
 * the manifest.
 */
static int writer_take(PayloadWriter *writer, ChunkJob **ret)
{
        Manifest *manifest = &writer->manifest;
        ChunkJob *chunk = (ChunkJob *)pool_take(writer->pool);
        int r = chunk->result;

        if (r >= 0)
                r = manifest_make_room(manifest);
        if (r >= 0)
                r = pwrite_full(writer->parameters.data_fd, chunk->data, chunk->data_size,
                                manifest->data_size);
        if (r < 0)
                return r;

        manifest_add_chunk(manifest, chunk);
        writer->progress += chunk->input_size;
        if (writer->parameters.on_progress)
                writer->parameters.on_progress(writer->parameters.userdata, writer->progress);
        *ret = chunk;
        return 0;
}

/*
 * Fills a chunk from fd; zeros up to padding at the end of the file. A size of 0: there is
 * nothing more.
 */
static int chunk_read(ChunkJob *chunk, int fd, uint64_t padding)
{
        size_t rest;

        chunk->input_size = 0;
        while (chunk->input_size < WRITER_CHUNK) {
                ssize_t n = read_some(fd, chunk->input + chunk->input_size,
                                      WRITER_CHUNK - chunk->input_size);
                if (n < 0)
                        return (int)n;
                if (n == 0)
                        break;
                chunk->input_size += (size_t)n;
        }

        rest = chunk->input_size % padding;
        if (rest > 0) {
                memset(chunk->input + chunk->input_size, 0, padding - rest);
                chunk->input_size += padding - rest;
        }
        return 0;
}

static int writer_add_chunks(PayloadWriter *writer, int fd, uint64_t padding, Digest *digest,
                             uint64_t *ret_size)
{
        size_t n_busy = 0;
        uint64_t size = 0;
        ChunkJob *chunk = NULL;
        int r;

        for (;;) {
                if (n_busy < writer->n_jobs) {
                        chunk = &writer->jobs[n_busy++];
                } else {
                        r = writer_take(writer, &chunk);
                        if (r < 0)
                                return r;
                }

                r = chunk_read(chunk, fd, padding);
                if (r >= 0)
                        r = digest_update(digest, chunk->input, chunk->input_size);
                if (r < 0)
                        return r;
                if (chunk->input_size == 0)
                        break;
                size += chunk->input_size;
                pool_submit(writer->pool, &chunk->job);
        }

        /* The chunk that met the end of the file was not submitted. */
        for (n_busy--; n_busy > 0; n_busy--) {
                r = writer_take(writer, &chunk);
                if (r < 0)
                        return r;
        }

        *ret_size = size;
        return size == 0 ? -ENODATA : 0;
}

int writer_add_image(PayloadWriter *writer, PartitionRole role, int fd, uint64_t padding)
{
        _cleanup_(digest_free_p) Digest *digest = NULL;
        Manifest *manifest = &writer->manifest;
        Partition *partition;
        int r;

        r = array_grow((void **)&manifest->partitions, manifest->n_partitions,
                       sizeof(*manifest->partitions));
        if (r < 0)
                return r;
        r = digest_new(&digest);
        if (r < 0)
                return r;

        partition = &manifest->partitions[manifest->n_partitions++];
        *partition = (Partition) { .role = role, .new_image.known = true };
        r = text_set(&partition->name, partition_role_to_string(role));
        if (r >= 0)
                r = text_set(&partition->version, writer->parameters.image_version);
        if (r < 0)
                return r;
        r = writer_add_chunks(writer, fd, padding, digest, &partition->new_image.size);
        if (r < 0)
                return r;

        return digest_peek(digest, partition->new_image.sha256);
}

int writer_manifest(const PayloadWriter *writer, Buffer *buffer)
{
        const Manifest *manifest = &writer->manifest;
        Operation *operation = manifest->operations;

        /* Now that the arrays grow no more, their pointers can be set. */
        for (size_t i = 0; i < manifest->n_operations; i++)
                manifest->operations[i].target = (ExtentList) { &manifest->extents[i], 1 };
        for (size_t i = 0; i < manifest->n_partitions; i++) {
                manifest->partitions[i].operations = operation;
                operation += manifest->partitions[i].n_operations;
        }

        return manifest_write(manifest, buffer);
}

uint64_t writer_data_size(const PayloadWriter *writer)
{
        return writer->manifest.data_size;
}
