/*
 * One operation: check its data, then carry it out on the target. The table of types is the only place that
 * knows what an operation is called, what it needs and what does it.
 */
#pragma once

#include "payload/extent-reader.h"
#include "payload/manifest.h"

/* Where the operations of one partition act. */
typedef struct OperationPlace {
        const PayloadTarget *target; /* borrowed; its fd is -1 when data is only to be checked */
        uint64_t image_size;
        uint32_t block_size;
        const ExtentSource
                *source; /* borrowed; NULL: there is no base, and no operation wants one */
        BlockMap
                *written; /* borrowed; what operations write is added; NULL: nobody wants to know */
} OperationPlace;

typedef int (*OperationApply)(const OperationPlace *place, const Operation *operation,
                              const uint8_t *data, PayloadError *error);

typedef struct OperationKind {
        const char *name;
        bool has_data;
        bool has_source;
        bool needs_lengths; /* of source and target */
        OperationApply apply;
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
