#include <assert.h>

#include "base/macros.h"
#include "fuzz/fuzz.h"
#include "uki.h"

/* Sections are found inside the file, and whatever text is in one is read without harm. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *sort_key = NULL, *version = NULL, *text;
        uint32_t offset, length;

        if (uki_find_section(data, MIN_OF(size, (size_t)UKI_HEAD_MAX), ".osrel", &offset, &length)
                    < 0
            || offset > size)
                return 0;
        text = strndup((const char *)data + offset, MIN_OF((size_t)length, size - offset));
        if (text && uki_release_parse(text, &sort_key, &version) == 0)
                assert(!sort_key || *sort_key);
        free(text);
        free(sort_key);
        free(version);
        return 0;
}
