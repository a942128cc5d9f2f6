/*
 * Two forms: a whole patch as it is; or, with an odd first byte, the three streams
 * uncompressed, each with its length in the two bytes in front of it, so that the fuzzer needs
 * not invent bzip2.
 */
#include <sys/mman.h>

#include "fuzz/fuzz.h"
#include "payload/bspatch.h"
#include "payload/compress.h"

#define BLOCK    512
#define OLD_SIZE 3000
#define NEW_MAX  (64 * KIB)

static size_t stream_pack(const uint8_t **data, size_t *size, uint8_t *output, size_t output_size)
{
        size_t n = *size >= 2 ? MIN_OF((size_t)(*data)[0] << 8 | (*data)[1], *size - 2) : 0,
               packed = 0;

        if (*size >= 2) {
                *data += 2;
                *size -= 2;
        }
        if (compress(COMPRESSION_BZIP2, 1, *data, n, output, output_size, &packed) < 0)
                packed = 0;
        *data += n;
        *size -= n;
        return packed;
}

static size_t patch_build(const uint8_t *data, size_t size, uint64_t new_size, uint8_t *patch,
                          size_t patch_size)
{
        size_t n = 32;
        uint64_t control, diff;

        memcpy(patch, "BSDIFF40", 8);
        control = stream_pack(&data, &size, patch + n, patch_size - n);
        n += control;
        diff = stream_pack(&data, &size, patch + n, patch_size - n);
        n += diff;
        n += stream_pack(&data, &size, patch + n, patch_size - n);
        memcpy(patch + 8, &control, 8);
        memcpy(patch + 16, &diff, 8);
        memcpy(patch + 24, &new_size, 8);
        return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const Extent old_extents[] = { { 1, 2 }, { EXTENT_HOLE, 1 }, { 4, 4 } };
        static const Extent new_extents[] = { { 0, NEW_MAX / BLOCK } };
        PayloadTarget target = { .fd = memfd_create("target", MFD_CLOEXEC), .size = NEW_MAX };
        PayloadSource base = { .fd = memfd_create("base", MFD_CLOEXEC), .size = 8 * BLOCK };
        ExtentSource source = { &base, 8 * BLOCK, &target, NULL, BLOCK };
        ExtentWriter writer = { &target, NEW_MAX, BLOCK, { new_extents, 1 }, 0, 0, 0 };
        _cleanup_(extent_reader_free_p) ExtentReader *reader = NULL;
        static uint8_t patch[256 * KIB];
        PayloadError error = {};
        BspatchParameters parameters;
        uint64_t new_size;

        assert(target.fd >= 0 && base.fd >= 0 && ftruncate(base.fd, 8 * BLOCK) == 0);
        assert(extent_reader_new(&source, (ExtentList) { old_extents, 3 }, &reader) == 0);
        if (size >= 3 && size < 100 * KIB) {
                new_size = (uint64_t)data[1] << 8 | data[2];
                if (data[0] & 1) {
                        size = patch_build(data + 3, size - 3, new_size, patch, sizeof(patch));
                        data = patch;
                } else {
                        data += 3;
                        size -= 3;
                }
                parameters = (BspatchParameters) { data, size, true, reader, OLD_SIZE, new_size };
                if (bspatch_apply(&parameters, &writer, &error) == 0)
                        assert(writer.written == new_size);
        }

        payload_error_done(&error);
        close(target.fd);
        close(base.fd);
        return 0;
}
