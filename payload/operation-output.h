/*
 * What an operation made, kept in memory until it has been hashed, so that it need not be read
 * for that. The memory is used again by the next operation.
 */
#pragma once

#include "payload/payload.h"

#define OUTPUT_MAX (1 * MIB) /* of one operation; what is larger is hashed where it lies */

typedef enum OutputOrigin {
        OUTPUT_NOT_KEPT, /* the memory is only a place to work in */
        OUTPUT_MADE,     /* as it was written */
        OUTPUT_READ,     /* as the medium gave it back, past the page cache */
} OutputOrigin;

typedef struct OperationOutput {
        uint8_t *data;   /* owned, aligned for O_DIRECT; NULL: not needed yet */
        size_t capacity; /* whole sectors, at most OUTPUT_MAX */
        uint64_t size;   /* so many bytes are kept; 0: nothing is */
        bool zeros;      /* they are zeros, and not in data */
} OperationOutput;

void operation_output_done(OperationOutput *output);

/* Makes sure of memory for size bytes, OUTPUT_MAX at most; what is in it may be lost. -ENOMEM. */
int operation_output_allocate(OperationOutput *output, uint64_t size) _must_check_;

/*
 * Keeps size bytes as they are on the medium. direct is its descriptor past the page cache; where
 * that can not be read from, nothing is kept, and that is no error.
 */
int operation_output_read(OperationOutput *output, const PayloadTarget *direct, uint64_t offset,
                          uint64_t size) _must_check_;
