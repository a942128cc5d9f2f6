/*
 * One operation: check its data, then carry it out on the target. The table of types is the
 * only place that knows what an operation is called, what it needs and what does it.
 */
#pragma once

#include "payload/extent-reader.h"
#include "payload/manifest.h"
#include "payload/operation-output.h"
#include "payload/pool.h"

/* Where the operations of one partition act. */
typedef struct OperationPlace {
        const PayloadTarget *target; /* borrowed; its fd is -1 when data is only to be checked */
        const PayloadTarget *direct; /* borrowed; the same past the page cache, or NULL */
        bool skip_same;              /* write only what is different */
        uint64_t image_size;
        uint32_t block_size;
        bool exact; /* operations must fill their extents: version 2 */
        const ExtentSource
                *source; /* borrowed; NULL: there is no base, and no operation wants one */
        BlockMap
                *written; /* borrowed; what operations write is added; NULL: nobody wants to know */
        OperationOutput *output; /* borrowed; gets what one operation makes, if it is one piece */
        OutputOrigin origin;     /* is it kept, and as what? */
        Pool *pool; /* borrowed; in which the operation is carried out; NULL: in none */
} OperationPlace;

typedef int (*OperationApply)(const OperationPlace *place, const Operation *operation,
                              const uint8_t *data, PayloadError *error);

/* How source and target of an operation that has both are related. */
typedef enum OperationLengths {
        LENGTHS_FREE,     /* they may be given in bytes; the data knows better */
        LENGTHS_REQUIRED, /* they are given in bytes */
        LENGTHS_EQUAL,    /* as many source as target blocks */
} OperationLengths;

typedef struct OperationKind {
        const char *name;
        uint64_t version; /* of the format that has it; 0: all */
        bool has_data;
        bool has_source;
        OperationLengths lengths;
        OperationApply apply; /* NULL: known by name only, refused */
} OperationKind;

/* NULL for a type that is not known. */
const OperationKind *operation_kind(OperationType type);

/*
 * Checks the SHA-256 of data (operation->data_length bytes), and only then unpacks and writes it.
 */
int operation_run(const OperationPlace *place, const Operation *operation, const uint8_t *data,
                  PayloadError *error) _must_check_;

/* Copies blocks of the base, which no operation wrote, to the same place of the target. */
int operation_keep(const OperationPlace *place, const Extent *blocks,
                   PayloadError *error) _must_check_;
