#include <assert.h>

#include "fuzz/fuzz.h"
#include "locksmith/duration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *)data, size), *again = NULL;
        _cleanup_(durations_done) Durations durations = {};
        usec_t took;

        if (!text || durations_parse(text, &durations) < 0)
                return 0;
        (void)durations_close(&durations, "other", UINT64_C(1800000000) * USEC_PER_SEC, &took);
        assert(durations_format(&durations, &again) == 0);
        return 0;
}
