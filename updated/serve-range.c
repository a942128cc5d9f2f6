#include <ctype.h>
#include <strings.h>

#include "serve-range.h"

/*
 * Reads digits; a number beyond 64 bits counts as the largest, which lies behind the end of every
 * file.
 */
static const char *range_number(const char *p, uint64_t *ret)
{
        uint64_t number = 0;

        for (; isdigit((unsigned char)*p); p++)
                if (!mul_u64(number, 10, &number)
                    || !add_u64(number, (uint64_t)(*p - '0'), &number))
                        number = UINT64_MAX;

        *ret = number;
        return p;
}

/* "N-", "N-M" or "-N", the whole text. */
static Range range_parse(const char *text, uint64_t size)
{
        static const Range unsatisfiable = { .kind = RANGE_UNSATISFIABLE };
        uint64_t first, last;
        const char *p;

        p = range_number(text, &first);
        if (*p != '-')
                return unsatisfiable;
        if (p == text) {
                p = range_number(p + 1, &last);
                if (*p || last == 0)
                        return unsatisfiable;
                last = MIN_OF(last, size);
                return (Range) { RANGE_PART, size - last, last };
        }

        if (!p[1])
                last = UINT64_MAX;
        else {
                p = range_number(p + 1, &last);
                if (*p || last < first)
                        return unsatisfiable;
        }
        if (first >= size)
                return unsatisfiable;

        last = MIN_OF(last, size - 1);
        return (Range) { RANGE_PART, first, last - first + 1 };
}

Range range_choose(const char *text, const char *if_range, const char *etag, uint64_t size)
{
        static const char unit[] = "bytes=";
        Range whole = { RANGE_WHOLE, 0, size };

        assert(size > 0);
        if (!text || strncasecmp(text, unit, strlen(unit)) != 0 || strchr(text, ','))
                return whole;
        if (if_range && !streq(if_range, etag))
                return whole;

        return range_parse(text + strlen(unit), size);
}
