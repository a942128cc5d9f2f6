#include "fuzz/fuzz.h"
#include "locksmith/semaphore.h"

/* What was read is written, and read again as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(semaphore_done) Semaphore semaphore = {}, again = {};
        _cleanup_free_ char *first = NULL, *second = NULL;
        const char *why;

        if (semaphore_parse((const char *)data, size, &semaphore, &why) < 0)
                return 0;
        if (semaphore_format(&semaphore, &first) < 0)
                return 0; /* escaped it is too large */

        assert(semaphore_parse(first, strlen(first), &again, &why) == 0);
        assert(semaphore_format(&again, &second) == 0);
        assert(streq(first, second));
        return 0;
}
