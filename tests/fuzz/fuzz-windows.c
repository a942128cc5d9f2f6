#include "fuzz/fuzz.h"
#include "locksmith/windows.h"

#define WINDOWS_FEW 4
#define NOW         (UINT64_C(1800000000) * USEC_PER_SEC)

/* The first line are windows, the second one days without. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *)data, size);
        Windows windows = {};
        const char *why;
        char *days;

        if (!text)
                return 0;
        days = strchr(text, '\n');
        if (days)
                *days++ = 0;
        if (windows_parse(text, &windows, &why) < 0
            || (days && blackouts_parse(days, &windows, &why) < 0))
                return 0;
        if (windows.n_windows <= WINDOWS_FEW) /* it looks far ahead, for each of them */
                (void)windows_next_room(&windows, NOW, USEC_PER_HOUR);
        return windows_is_open(&windows, NOW) && size == 0;
}
