#include "fuzz/fuzz.h"
#include "payload/header.h"
#include "payload/manifest-writer.h"
#include "payload/manifest.h"

/* What was accepted can be written again with another place for its signatures. */
static void manifest_resign(const uint8_t *data, size_t size, const Manifest *manifest)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(MANIFEST_SIZE_MAX);
        _cleanup_(manifest_free_p) Manifest *again = NULL;
        SignaturesPlace place = { manifest->version, manifest->data_size, 264 };

        if (manifest_write_signatures(data, size, &place, &buffer) < 0)
                return;
        /* Not so when unknown fields were encoded in a way that can not be written again. */
        if (manifest_parse(manifest->version, (const uint8_t *)buffer.data, buffer.size, &again,
                           NULL)
            < 0)
                return;
        assert(again->signatures_size == 264);
        assert(again->n_operations == manifest->n_operations);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        for (uint64_t version = HEADER_VERSION_1; version <= HEADER_VERSION_2 && size > 0;
             version++) {
                _cleanup_(manifest_free_p) Manifest *manifest = NULL;
                PayloadError error = {};

                if (manifest_parse(version, data, size, &manifest, &error) == 0)
                        manifest_resign(data, size, manifest);
                payload_error_done(&error);
        }

        return 0;
}
