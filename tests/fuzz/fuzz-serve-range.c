/*
 * A Range header: whatever it says, the answer lies inside the file. The same bytes as a Host
 * header.
 */
#include "base/http-address.h"
#include "fuzz/fuzz.h"
#include "serve-range.h"

#define FILE_SIZE UINT64_C(3000004)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *)data, size);
        Range range;

        assert(text);
        range = range_choose(text, NULL, "", FILE_SIZE);
        if (range.kind == RANGE_PART)
                assert(range.size > 0 && range.first < FILE_SIZE
                       && range.size <= FILE_SIZE - range.first);
        if (address_host_is_valid(text))
                assert(!strpbrk(text, "<>&\"' /@"));
        return 0;
}
