/*
 * Applies a binary patch (BSDIFF40, BSDF2) with bounded memory: the old data is read where it
 * is wanted, the new data is written as it comes. Every number in a patch is foreign and
 * checked.
 */
#pragma once

#include "payload/extent-reader.h"
#include "payload/target.h"

typedef struct BspatchParameters {
        const uint8_t *patch; /* borrowed */
        size_t size;
        bool any_codec; /* BSDF2 is fine too, which names the compression of each stream */
        const ExtentReader *old;
        uint64_t old_size; /* bytes of old that are in use */
        uint64_t new_size; /* bytes that the patch must make */
} BspatchParameters;

/* -EBADMSG with *error filled when the patch is wrong, or another -errno with *error filled. */
int bspatch_apply(const BspatchParameters *parameters, ExtentWriter *writer,
                  PayloadError *error) _must_check_;
