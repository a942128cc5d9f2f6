/*
 * How far an interrupted run had come, in a small file: what is in front of that place is on the
 * medium. Bound to header and manifest of the payload and to the targets, so that it is of no use
 * for any other; its own SHA-256 shows whether it is whole.
 */
#pragma once

#include "payload/reader.h"

#define CHECKPOINT_TARGETS 2 /* slot, kernel */

/* Runs that go on from one place: something there may be what ends them. */
#define CHECKPOINT_RESUMES_MAX 10

/* Magic, operations, bytes, resumes; metadata; targets; two states; the SHA-256 of all that. */
#define CHECKPOINT_SIZE                                   \
        (4 * 8 + SHA256_SIZE + CHECKPOINT_TARGETS * 5 * 8 \
         + 2 * (8 + SHA256_WORDS * 4 + SHA256_BLOCK_SIZE) + SHA256_SIZE)

/* Which file or device a target is, and where in it. All zero: there is none. */
typedef struct TargetId {
        uint64_t kind;   /* TargetKind */
        uint64_t device; /* of a block device its own number, else that of the file system */
        uint64_t inode;
        uint64_t offset;
        uint64_t size;
} TargetId;

typedef enum TargetKind {
        TARGET_NONE,
        TARGET_FILE,
        TARGET_DEVICE,
} TargetKind;

typedef struct Checkpoint {
        uint8_t metadata_sha256[SHA256_SIZE]; /* of header and manifest */
        TargetId targets[CHECKPOINT_TARGETS];
        ReaderMark mark;    /* where to go on */
        uint64_t n_resumes; /* runs that went on there, and came no further yet */
} Checkpoint;

/* Where it is kept: a file of its own, or (path NULL) two places in an open one, see payload.h. */
typedef struct CheckpointPlace {
        const char *path;
        int fd;
        uint64_t offset;
} CheckpointPlace;

/* Identifies a target that has to hold an image of so many bytes: -errno of fstat(2). */
int target_identify(const PayloadTarget *target, uint64_t image_size, TargetId *ret) _must_check_;

/* The bytes of its file, the SHA-256 at their end. -errno of hashing. */
int checkpoint_encode(const Checkpoint *checkpoint,
                      uint8_t ret[static CHECKPOINT_SIZE]) _must_check_;

/* -EBADMSG: damaged, or not ours. */
int checkpoint_parse(const void *data, size_t size, Checkpoint *ret) _must_check_;

/* -ENOENT: there is none; -EBADMSG; or what reading says. */
int checkpoint_read(const CheckpointPlace *place, Checkpoint *ret) _must_check_;

/* Replaces it durably. Everything that it promises must be on the medium before. */
int checkpoint_write(const CheckpointPlace *place, const Checkpoint *checkpoint) _must_check_;

/* Durable as well; none there is fine. */
int checkpoint_remove(const CheckpointPlace *place) _must_check_;

/* Do both go with the same payload and the same targets, wherever they stand? */
bool checkpoint_matches(const Checkpoint *a, const Checkpoint *b);
