#include "fuzz/fuzz.h"
#include "locksmith/window.h"

#define NOW (UINT64_C(1700000000) * USEC_PER_SEC)

/* The first line is a start, the rest a length. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *start = strndup((const char *)data, size);
        const char *why;
        char *length;
        Window window;

        if (!start)
                return 0;

        length = start + strcspn(start, "\n");
        if (*length)
                *length++ = 0;

        if (window_parse(start, length, &window, &why) == 1) {
                assert(window_next_opening(&window, NOW) > NOW);
                assert((window_closing(&window, NOW) >= NOW) == window_contains(&window, NOW));
        }
        return 0;
}
