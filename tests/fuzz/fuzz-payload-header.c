#include "fuzz/fuzz.h"
#include "payload/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        PayloadError error = {};
        PayloadHeader header;

        for (size_t n = 0; n <= size && n <= HEADER_SIZE_MAX; n++)
                if (header_parse(data, n, &header, &error) > 0)
                        assert(header.manifest_size <= MANIFEST_SIZE_MAX);
        payload_error_done(&error);
        return 0;
}
