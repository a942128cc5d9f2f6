/*
 * The public face of the payload engine: bytes of an update file in, a verified slot out. No
 * network, no logging, no clock. The file format is CrAU (magic "CrAU"): version 1 as CoreOS
 * and Flatcar write it, version 2 as Android does, with some fields of our own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

#define SHA256_SIZE 32

/*
 * Why a payload was refused. Each has one number in the Omaha protocol, see updated/omaha-
 * error.c.
 */
typedef enum PayloadRefusal {
        PAYLOAD_REFUSAL_NONE,
        PAYLOAD_REFUSAL_MAGIC,    /* not a payload at all */
        PAYLOAD_REFUSAL_VERSION,  /* a format version that this engine does not know */
        PAYLOAD_REFUSAL_MANIFEST, /* manifest malformed, over a limit, or against the rules */
        PAYLOAD_REFUSAL_OPERATION_HASH_MISSING, /* data without its SHA-256 */
        PAYLOAD_REFUSAL_OPERATION_HASH,   /* data with another SHA-256 than the manifest says */
        PAYLOAD_REFUSAL_OPERATION,        /* data can not be decompressed to what it should be */
        PAYLOAD_REFUSAL_SIZE,             /* shorter or longer than announced */
        PAYLOAD_REFUSAL_HASH,             /* the whole file has another SHA-256 than announced */
        PAYLOAD_REFUSAL_UNSIGNED,         /* there is no signature in it */
        PAYLOAD_REFUSAL_SIGNATURE,        /* no signature verifies with a trusted key */
        PAYLOAD_REFUSAL_BASE,             /* a delta for another base than the given one */
        PAYLOAD_REFUSAL_TARGET_TOO_SMALL, /* the image is larger than the target */
        PAYLOAD_REFUSAL_TARGET_IO,        /* writing or reading the target failed */
        PAYLOAD_REFUSAL_TARGET_HASH,      /* what was written does not read back as it should */
        _PAYLOAD_REFUSAL_MAX,
} PayloadRefusal;

/* What went wrong, for programs and for people. */
typedef struct PayloadError {
        PayloadRefusal refusal;
        char *text; /* owned; one line without a full stop: "operation 3: its data has the wrong SHA-256" */
} PayloadError;

void payload_error_done(PayloadError *error);

/*
 * Trusted public keys (PEM, SubjectPublicKeyInfo): RSA of 2048 bits or more; for format version
 * 2 also Ed25519 and ECDSA P-256.
 */
typedef struct PayloadKeys PayloadKeys;

int payload_keys_new(PayloadKeys **ret) _must_check_;
PayloadKeys *payload_keys_free(PayloadKeys *keys);
DEFINE_CLEANUP(PayloadKeys *, payload_keys_free);

/*
 * Adds the key in a PEM file. -ENOENT, -EBADMSG (no key in it), -EKEYREJECTED (too weak, wrong
 * kind).
 */
int payload_keys_add_file(PayloadKeys *keys, const char *path) _must_check_;

/* Adds a key from PEM text of size bytes. */
int payload_keys_add_pem(PayloadKeys *keys, const char *pem, size_t size) _must_check_;

/*
 * Adds every *.pem of a directory, in the order of their names. -ENOENT: no directory; none in
 * it is no error.
 */
int payload_keys_add_directory(PayloadKeys *keys, const char *path) _must_check_;
size_t payload_keys_count(const PayloadKeys *keys);

/*
 * Is the file a whole payload, as far as its header, its manifest and its size tell? Nothing in it is believed for
 * that, and no data is read. -EBADMSG with *ret_error filled when it is not, or another -errno, filled too.
 */
int payload_look(const char *path, bool *ret_signed, PayloadError *ret_error) _must_check_;

/*
 * Where an image goes: a block device, or a region of a disk image file, or a regular file.
 * The engine writes only inside [offset, offset + size).
 */
typedef struct PayloadTarget {
        int fd; /* borrowed, open for reading and writing; -1: this part of the payload is skipped */
        uint64_t offset; /* bytes from the start of the file */
        uint64_t size;   /* bytes that may be written */
        bool resizable;  /* a regular file of its own: it gets the size of the image; size 0: any */
        bool optional;   /* a payload without anything for it is fine, and leaves it as it is */
} PayloadTarget;

#define PAYLOAD_TARGET_NONE \
        (PayloadTarget)     \
        {                   \
                .fd = -1    \
        }

/* What a delta is applied to: the running slot, or an image of it. Only read, never written. */
typedef struct PayloadSource {
        int fd;          /* borrowed, open for reading */
        uint64_t offset; /* bytes from the start of the file */
        uint64_t size;   /* bytes that may be read */
} PayloadSource;

/* Every byte is hashed for itself, for its operation, and for the payload that it is part of. */
typedef enum PayloadHashing {
        PAYLOAD_HASH_ALL,        /* both: what is wanted of bytes that nobody has checked before */
        PAYLOAD_HASH_WHOLE,      /* who made it? Nothing is unpacked; there must be no targets */
        PAYLOAD_HASH_OPERATIONS, /* version 2, whose signature at the end was checked just before:
                                    what is signed with the metadata is enough */
} PayloadHashing;

/*
 * In an open file: two places a block apart, written in turn, so that a power cut leaves the one before. At first
 * all of it is zero.
 */
#define PAYLOAD_CHECKPOINT_STEP 4096
#define PAYLOAD_CHECKPOINT_ROOM (2 * PAYLOAD_CHECKPOINT_STEP)

typedef struct PayloadApplyParameters {
        const PayloadKeys *keys;   /* borrowed; must hold one key at least */
        PayloadTarget target;      /* the slot */
        PayloadTarget kernel;      /* where a KERNEL procedure goes, or PAYLOAD_TARGET_NONE */
        uint64_t size;             /* announced bytes of the whole file, or 0: not known */
        uint64_t file_size;        /* bytes that the file has which is pushed, or 0: not known */
        const uint8_t *sha256;     /* announced SHA-256 of the whole file (borrowed), or NULL */
        uint64_t target_size_max;  /* refuse larger images; 0: no limit besides target.size */
        const PayloadSource *base; /* the slot a delta starts from (borrowed), or NULL: no deltas */
        const PayloadSource *kernel_base; /* the same for a KERNEL procedure, or NULL */
        bool cached;    /* hash what is written instead of reading it back from the medium */
        bool direct;    /* write past the page cache where that is possible; wants several jobs */
        bool skip_same; /* read before writing, and write only what is different */
        unsigned jobs;  /* threads that check and decompress; 0 and 1: all in the caller's thread */
        uint64_t now;   /* seconds since 1970, to refuse what has expired; 0: not checked */
        uint64_t timestamp_min;  /* refuse payloads made before; 0: not checked */
        unsigned signatures_min; /* so many different trusted keys must have signed; 0 means 1 */
        PayloadHashing hashing;
        const char *checkpoint; /* a file (borrowed path) to go on from after a crash, or NULL */
        int checkpoint_fd; /* instead, for who may make no files: an open one (borrowed), or 0 */
        uint64_t checkpoint_offset; /* where in it PAYLOAD_CHECKPOINT_ROOM bytes are for that */
        uint64_t checkpoint_step;   /* a checkpoint after so many bytes; 0: as is best */
} PayloadApplyParameters;

/*
 * The stream machine: HEADER → MANIFEST → BLOBS → SIGNATURES → DONE. Push bytes as they come,
 * in pieces of any size; finish checks everything that can only be checked at the end (size,
 * hash, signature, target read back from the medium). Until finish has returned 0 the target is
 * worth nothing.
 */
typedef struct PayloadApply PayloadApply;

int payload_apply_new(const PayloadApplyParameters *parameters, PayloadApply **ret) _must_check_;
PayloadApply *payload_apply_free(PayloadApply *apply);
DEFINE_CLEANUP(PayloadApply *, payload_apply_free);

/*
 * Both return 0, or -EBADMSG with *ret_error filled when the payload is refused, or another
 * -errno (with *ret_error filled too) when the machine fails. After an error the object can
 * only be freed.
 */
int payload_apply_push(PayloadApply *apply, const void *data, size_t size,
                       PayloadError *ret_error) _must_check_;
int payload_apply_finish(PayloadApply *apply, PayloadError *ret_error) _must_check_;

/*
 * Of an earlier run with the same checkpoint file, payload and targets, everything is done that is
 * in front of this byte of the payload; 0: nothing, or not known yet: it is as soon as the manifest
 * has been pushed. At most 8 MiB of its work (and one operation) are done again. What is pushed in
 * front of that byte is hashed and not used otherwise; payload_apply_resume() says instead that
 * that byte is the next one to be pushed (an HTTP Range, a seek). The checkpoint is removed when
 * the payload is refused, kept when it only ends early, and belongs to the caller after success.
 * When ten runs have gone on from the same place and none came any further, the next one does not.
 */
uint64_t payload_apply_resume_offset(const PayloadApply *apply);
int payload_apply_resume(PayloadApply *apply) _must_check_;

/* Why a checkpoint was not used or can not be written, for one warning; or NULL. Borrowed. */
const char *payload_apply_checkpoint_problem(const PayloadApply *apply);

/* Bytes of the payload taken in so far. */
uint64_t payload_apply_bytes(const PayloadApply *apply);

/* False as long as everything at the targets is as it was before, whatever has been refused. */
bool payload_apply_touched(const PayloadApply *apply);

/*
 * After finish: size in bytes and SHA-256 of the image of the slot; 0 and NULL when the payload
 * has none.
 */
uint64_t payload_apply_image_size(const PayloadApply *apply);
const uint8_t *payload_apply_image_sha256(const PayloadApply *apply);

/* After finish: what the manifest says of itself; 0 and NULL when it does not (format version 1 never does). */
/* When it was made, in seconds since 1970. */
uint64_t payload_apply_timestamp(const PayloadApply *apply);
uint64_t payload_apply_expires(const PayloadApply *apply); /* refused from then on, the same unit */
/* Of the slot's image; borrowed. */
const char *payload_apply_image_version(const PayloadApply *apply);

/*
 * After finish: the id (and file) of the index-th trusted key that signed; NULL behind the
 * last. Borrowed.
 */
const char *payload_apply_signer(const PayloadApply *apply, size_t index);
