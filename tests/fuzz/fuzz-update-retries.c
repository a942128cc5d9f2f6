#include "fuzz/fuzz.h"
#include "retries.h"

/* What is read is written out in the one way to write it, and read again the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = strndup((const char *)data, size), *first = NULL, *second = NULL;
        Retries retries, again;

        if (text && retries_parse(text, &retries) >= 0) {
                assert(retries.n_urls <= OMAHA_URLS_MAX);
                if (retries_print(&retries, &first) >= 0) {
                        int r = retries_parse(first, &again);

                        assert(r >= 0);
                        r = retries_print(&again, &second);
                        assert(r >= 0 && streq(first, second));
                }
        }

        free(text);
        free(first);
        free(second);
        return 0;
}
