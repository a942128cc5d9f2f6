/*
 * A checkpoint with a right checksum around it, which the fuzzer could not guess: what is parsed
 * writes out to the same bytes.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "payload/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        uint8_t sealed[CHECKPOINT_SIZE] = {}, again[CHECKPOINT_SIZE];
        Checkpoint checkpoint;

        assert(size == CHECKPOINT_SIZE || checkpoint_parse(data, size, &checkpoint) == -EBADMSG);
        memcpy(sealed, data, MIN_OF(size, sizeof(sealed)));
        assert(digest_of(sealed, sizeof(sealed) - SHA256_SIZE,
                         sealed + sizeof(sealed) - SHA256_SIZE)
               == 0);
        if (checkpoint_parse(sealed, sizeof(sealed), &checkpoint) < 0)
                return 0;

        assert(checkpoint_encode(&checkpoint, again) == 0);
        assert(memcmp(sealed, again, sizeof(again)) == 0);
        assert(checkpoint_matches(&checkpoint, &checkpoint));
        return 0;
}
