/*
 * From plain structs to the bytes of a manifest, as old clients want them: fields in ascending
 * order, every number written, operations without effect in the places where a client from
 * before procedures looks.
 */
#pragma once

#include "base/buffer.h"
#include "payload/manifest.h"

/*
 * Appends an unsigned manifest to buffer, of the version that it says. -EFBIG when an offset
 * does not fit into version 1.
 */
int manifest_write(const Manifest *manifest, Buffer *buffer) _must_check_;

/* Where the signatures of a payload are. */
typedef struct SignaturesPlace {
        uint64_t version;   /* of the format */
        uint64_t data_size; /* all data together, in front of them */
        size_t size;        /* of the signatures; 0: there are none */
} SignaturesPlace;

/*
 * Appends an existing manifest of size bytes of data (one that manifest_parse() has accepted)
 * with another place for its signatures. What this engine does not know in it is kept.
 */
int manifest_write_signatures(const void *data, size_t size, const SignaturesPlace *place,
                              Buffer *buffer) _must_check_;
