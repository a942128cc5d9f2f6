#include "base/update-conf.h"
#include "fuzz/fuzz.h"

/* Merging twice is merging once, and what was set is there. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const Assignment assignments[] = { { "GROUP", "beta" }, { "SERVER", NULL } };
        _cleanup_free_ char *old = strndup((const char *)data, size), *once = NULL, *twice = NULL,
                            *line = NULL;
        const char *why = NULL;
        unsigned number = 0;
        int r;

        assert(old);
        r = update_conf_merge(old, assignments, ELEMENTSOF(assignments), &once, &number, &why);
        if (r == -EBADMSG) {
                assert(number > 0 && why);
                return 0;
        }
        assert(r == 0);
        assert(update_conf_line(once, "GROUP", &line) == 0 && streq_null(line, "GROUP=beta"));
        r = update_conf_merge(once, assignments, ELEMENTSOF(assignments), &twice, &number, &why);
        assert(r == 0 && streq(once, twice));
        return 0;
}
