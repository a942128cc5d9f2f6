/*
 * Applies a binary patch (BSDIFF40) with bounded memory: the old data is read where it is wanted, the new data is
 * written as it comes. Every number in a patch is foreign and checked.
 */
#pragma once

#include "payload/extent-reader.h"
#include "payload/target.h"

/*
 * old_size bytes of old become new_size bytes in writer. -EBADMSG with *error filled when the patch is wrong,
 * or another -errno with *error filled.
 */
int bspatch_apply(const uint8_t *patch, size_t size, const ExtentReader *old, uint64_t old_size,
                  ExtentWriter *writer, uint64_t new_size, PayloadError *error) _must_check_;
