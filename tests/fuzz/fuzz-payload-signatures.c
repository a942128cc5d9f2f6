#include "fuzz/fuzz.h"
#include "payload/signature-list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        for (uint64_t version = HEADER_VERSION_1; version <= HEADER_VERSION_2; version++) {
                _cleanup_(signature_list_done) SignatureList list = {};
                PayloadError error = {};

                if (signature_list_parse(version, data, size, &list, &error) == 0)
                        assert(list.n_items > 0 && list.n_items <= SIGNATURES_MAX);
                payload_error_done(&error);
        }

        return 0;
}
