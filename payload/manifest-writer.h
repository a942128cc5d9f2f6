/*
 * From plain structs to the bytes of a manifest, as old clients want them: fields in ascending order, every
 * number written, operations without effect in the places where a client from before procedures looks.
 */
#pragma once

#include "base/buffer.h"
#include "payload/manifest.h"

/* Appends an unsigned manifest to buffer. -EFBIG when an offset does not fit into format version 1. */
int manifest_write(const Manifest *manifest, Buffer *buffer) _must_check_;

/*
 * Appends an existing manifest of data (one that manifest_parse() has accepted) with another place for its
 * signatures: behind data_size bytes of data, signatures_size long; 0 takes the place away. What this engine
 * does not know in it is kept.
 */
int manifest_write_signatures(const void *data, size_t size, uint64_t data_size,
                              size_t signatures_size, Buffer *buffer) _must_check_;
