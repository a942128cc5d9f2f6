/*
 * The Range header of a download (RFC 9110, section 14), as far as one range of bytes goes.
 */
#pragma once

#include "base/macros.h"

typedef enum RangeKind {
        RANGE_WHOLE, /* no Range, or one that may be ignored: several ranges, another unit */
        RANGE_PART,  /* answer 206 */
        RANGE_UNSATISFIABLE, /* answer 416 */
} RangeKind;

typedef struct Range {
        RangeKind kind;
        uint64_t first; /* from this byte … */
        uint64_t size;  /* … so many; never beyond the end */
} Range;

/*
 * What a header asks of a file of size bytes (> 0). text and if_range may be NULL: the header is
 * not there. etag is the file's, with its quotes; an If-Range that is not exactly that (a date, a
 * weak tag) means all of it.
 */
Range range_choose(const char *text, const char *if_range, const char *etag, uint64_t size);
