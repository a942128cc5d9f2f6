/*
 * The manifest as plain structs. What manifest_parse() returns has passed every rule of
 * manifest-check.c, so the rest of the engine can rely on it. No type of the generated decoder
 * leaves manifest.c and writer.c.
 */
#pragma once

#include "payload/extents.h"
#include "payload/header.h"

#define BLOCK_SIZE_MIN     512
#define BLOCK_SIZE_MAX     65536
#define BLOCK_SIZE_DEFAULT 4096
#define OPERATIONS_MAX     131072 /* eight times what a one-file-per-operation delta of 1 GiB has */
#define EXTENTS_MAX        262144 /* sources and destinations of all operations together */
#define OPERATION_DATA_MAX (64 * MIB) /* it is held in memory until its hash is checked */
#define PARTITIONS_MAX     64
#define NAME_MAX_SIZE      64
#define IMAGE_SIZE_MAX     (1024 * GIB)
#define MANIFEST_MEMORY_MAX \
        (48 * MIB) /* for the decoder: measured, tiny messages take 50 times their size */

/* The numbers of the format; AOSP's where CoreOS has none. */
typedef enum OperationType {
        OPERATION_REPLACE = 0,
        OPERATION_REPLACE_BZ = 1,
        OPERATION_MOVE = 2,
        OPERATION_BSDIFF = 3,
        OPERATION_SOURCE_COPY = 4,
        OPERATION_SOURCE_BSDIFF = 5,
        OPERATION_ZERO = 6,
        OPERATION_DISCARD = 7,
        OPERATION_REPLACE_XZ = 8,
        OPERATION_PUFFDIFF = 9,
        OPERATION_BROTLI_BSDIFF = 10,
        OPERATION_ZUCCHINI = 11,
        OPERATION_LZ4DIFF_BSDIFF = 12,
        OPERATION_LZ4DIFF_PUFFDIFF = 13,
        OPERATION_REPLACE_ZSTD = 14,
        _OPERATION_TYPE_MAX,
} OperationType;

typedef struct Operation {
        OperationType type;
        uint64_t data_offset; /* from the first byte behind the manifest */
        uint64_t data_length;
        bool has_sha256;
        uint8_t sha256[SHA256_SIZE]; /* of the data */
        bool has_source_sha256;
        uint8_t source_sha256[SHA256_SIZE];
        ExtentList source;
        ExtentList target;
        bool has_source_length, has_target_length;
        uint64_t source_length; /* bytes in use of the source extents */
        uint64_t target_length;
} Operation;

/* What a part of the payload is. */
typedef enum PartitionRole {
        PARTITION_SLOT,
        PARTITION_KERNEL,
        PARTITION_PCR_POLICY,
        PARTITION_OTHER,   /* checked, but there is no target for it */
        PARTITION_UNKNOWN, /* its bytes are counted and hashed, nothing else */
        _PARTITION_ROLE_MAX,
} PartitionRole;

typedef struct ImageInfo {
        bool known;
        uint64_t size;
        uint8_t sha256[SHA256_SIZE];
} ImageInfo;

typedef struct Partition {
        PartitionRole role;
        char *name;            /* owned */
        char *version;         /* owned; of the new image, or NULL */
        Operation *operations; /* borrowed from the manifest's array */
        size_t n_operations;
        ImageInfo old_image; /* not known: needs no base */
        ImageInfo new_image;
} Partition;

typedef struct Manifest {
        uint64_t version; /* of the format, from the header */
        size_t size;      /* bytes of the encoded manifest */
        uint32_t block_size;
        Partition *partitions; /* owned; in version 1 the slot comes first */
        size_t n_partitions;
        Operation *operations; /* owned; all of them, in the order of their data */
        size_t n_operations;
        Extent *extents; /* owned; all of them */
        size_t n_extents;
        uint64_t data_size;       /* all data together: where the signatures begin */
        uint64_t signatures_size; /* 0: there are none */
        uint64_t timestamp;       /* when it was made, in seconds since 1970; 0: it does not say */
        uint64_t expires;         /* the same unit; 0: never */
        char *minimum_engine;     /* owned; the version of this project that it needs, or NULL */
} Manifest;

/*
 * Decodes and checks a manifest of that format version. -EBADMSG with *error filled, or
 * -ENOMEM.
 */
int manifest_parse(uint64_t version, const uint8_t *data, size_t size, Manifest **ret,
                   PayloadError *error) _must_check_;

/* The partition that goes to the slot, or NULL. */
const Partition *manifest_slot(const Manifest *manifest);

/* The bytes that operation makes when it fills its target extents, as far as the image goes. */
uint64_t operation_target_size(const Operation *operation, uint64_t image_size,
                               uint32_t block_size);

Manifest *manifest_free(Manifest *manifest);
DEFINE_CLEANUP(Manifest *, manifest_free);

/* "usr", "kernel", "pcr-policy", "other", "unknown". */
const char *partition_role_to_string(PartitionRole role);
PartitionRole partition_role_from_string(const char *text);

/*
 * Every rule about what a manifest may say (manifest-check.c); sets data_size. Called by
 * manifest_parse().
 */
int manifest_check(Manifest *manifest, uint64_t signatures_offset,
                   PayloadError *error) _must_check_;
