/*
 * One piece of memory, compressed in one go.
 */
#pragma once

#include "payload/payload.h"

typedef enum Compression {
        COMPRESSION_NONE,
        COMPRESSION_BZIP2,
        COMPRESSION_XZ,
        COMPRESSION_ZSTD,
        _COMPRESSION_MAX,
        COMPRESSION_INVALID = -EINVAL,
} Compression;

/* The words of --compression; COMPRESSION_INVALID for any other. */
const char *compression_to_string(Compression compression);
Compression compression_from_string(const char *text);

/* The level that is taken when none is given, and the highest there is. */
unsigned compression_level_default(Compression compression);
unsigned compression_level_max(Compression compression);

/* Compresses into size_max bytes. -ENOSPC when it does not become that small; -ENOMEM. */
int compress(Compression compression, unsigned level, const void *data, size_t size, void *output,
             size_t size_max, size_t *ret_size) _must_check_;
