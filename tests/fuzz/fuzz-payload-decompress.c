/* The first byte chooses codec and size of the reads. */
#include "fuzz/fuzz.h"
#include "payload/decompress.h"

#define OUTPUT_MAX (4 * MIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(decoder_free_p) Decoder *decoder = NULL;
        uint8_t buffer[4096];
        size_t n, total = 0, step;

        if (size == 0
            || decoder_new((Codec)(data[0] % _CODEC_MAX), data + 1, size - 1, &decoder) < 0)
                return 0;

        step = data[0] & 128 ? sizeof(buffer) : 7;
        while (total < OUTPUT_MAX && decoder_read(decoder, buffer, step, &n) == 0 && n > 0)
                total += n;
        return 0;
}
