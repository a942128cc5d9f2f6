/*
 * The first byte says in what pieces the rest is pushed; however it is split, the outcome is
 * the same. Data hashes are not checked here, so that the operations see what the fuzzer makes.
 */
#include <sys/mman.h>

#include "fuzz/fuzz.h"
#include "payload/operation.h"
#include "payload/reader.h"

#define TARGET_MAX (1 * MIB)

typedef struct Run {
        PayloadTarget target;
        PayloadReader *reader;
        OperationOutput output;
        unsigned n_operations;
} Run;

static int on_manifest(void *userdata, const Manifest *manifest, _unused_ PayloadError *error)
{
        (void)userdata;
        return manifest->partitions[0].new_image.size > TARGET_MAX ? -EFBIG : 0;
}

static int on_operation(void *userdata, const Partition *partition, const Operation *operation,
                        Buffer *data, PayloadError *error)
{
        Run *run = userdata;
        PayloadSource base = { .fd = run->target.fd, .size = TARGET_MAX };
        ExtentSource source = {
                .base = &base,
                .base_size = 0, /* reads as zeros */
                .target = &run->target,
                .block_size = reader_manifest(run->reader)->block_size,
        };
        OperationPlace place = {
                .target = &run->target,
                .image_size = partition->new_image.size,
                .block_size = reader_manifest(run->reader)->block_size,
                .exact = reader_version(run->reader) == HEADER_VERSION_2,
                .source = &source,
                .output = &run->output,
        };
        const OperationKind *kind = operation_kind(operation->type);

        run->n_operations++;
        if (partition->role != PARTITION_SLOT || !kind || !kind->apply)
                return 0;
        return kind->apply(&place, operation, (const uint8_t *)data->data, error);
}

static int run_pieces(const uint8_t *data, size_t size, size_t piece, unsigned *ret_n_operations)
{
        static const ReaderEvents events = {
                .on_manifest = on_manifest,
                .on_operation = on_operation,
        };
        Run run = { .target = { .fd = memfd_create("target", MFD_CLOEXEC), .size = TARGET_MAX } };
        PayloadError error = {};
        int r;

        assert(run.target.fd >= 0);
        assert(reader_new(&events, &run, true, &run.reader) == 0);
        r = 0;
        for (size_t i = 0; i < size && r >= 0; i += piece)
                r = reader_push(run.reader, data + i, MIN_OF(piece, size - i), &error);
        if (r >= 0)
                r = reader_finish(run.reader, &error);

        *ret_n_operations = run.n_operations;
        reader_free(run.reader);
        operation_output_done(&run.output);
        payload_error_done(&error);
        close(run.target.fd);
        return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        unsigned whole, split;
        int r, s;

        if (size < 2)
                return 0;

        r = run_pieces(data + 1, size - 1, size, &whole);
        s = run_pieces(data + 1, size - 1, 1 + (size_t)data[0], &split);
        assert(r == s && whole == split);
        return 0;
}
