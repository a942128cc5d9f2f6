/*
 * What the files of the machine share: apply.c moves the operations, accept.c says what must hold
 * before the first one, resume.c goes on where an earlier run ended. Nobody else includes this.
 */
#pragma once

#include "base/text.h"
#include "payload/checkpoint.h"
#include "payload/follower.h"
#include "payload/operation.h"
#include "payload/pool.h"

/* One part of the payload: where it comes from and where it goes. */
typedef struct Part {
        PayloadTarget target;      /* fd -1: it is only checked */
        PayloadTarget direct;      /* fd -1: there is none; owned */
        const PayloadSource *base; /* borrowed; NULL: no delta can be applied */
        ExtentSource source;       /* of a delta */
        BlockMap *written;         /* of a delta of version 1: owned */
        Follower *follower;        /* owned; hashes what was written */
        OutputOrigin origin;       /* of what operations keep for it */
} Part;

/* One operation on its way through the pool. */
typedef struct ApplyJob {
        PoolJob job; /* first: the pool sees only this */
        OperationPlace place;
        const Partition *partition;
        const Operation *operation;
        Buffer data;            /* owned; its memory is used again */
        OperationOutput output; /* the same */
        FollowerStep step;
        bool followed;   /* the step is in use */
        ReaderMark mark; /* the place behind it */
        uint64_t work;   /* bytes: see operation_work() */
        PayloadError error;
        int result;
} ApplyJob;

struct PayloadApply {
        PayloadApplyParameters parameters;
        uint8_t announced_sha256[SHA256_SIZE];
        Part parts[_PARTITION_ROLE_MAX];
        PayloadReader *reader;
        TextList signers;      /* descriptions of the keys that signed the whole payload */
        uint64_t version;      /* of the format */
        const Partition *slot; /* or NULL: there is none in it */
        Pool *pool;
        ApplyJob *jobs; /* a ring */
        size_t n_jobs;
        size_t n_submitted, n_taken; /* since the beginning */
        uint64_t busy_size;          /* bytes of data in the pool */
        uint64_t busy_work;          /* bytes of work in the pool */
        bool touched;                /* a target may have been changed */
        bool checkpointing;
        Checkpoint
                checkpoint; /* of this payload and these targets; its mark is the last one written */
        ReaderMark resume;  /* where an earlier run ended; no operations: nowhere */
        uint64_t unsaved_work;    /* bytes of work behind the last mark that was written */
        char *checkpoint_problem; /* owned; why there is none, or NULL */
};

/* Events of the reader: who signed the metadata, and is everything as it must be? */
int accept_metadata(void *userdata, const uint8_t sha256[static SHA256_SIZE],
                    const Buffer *signatures, PayloadError *error) _must_check_;
int accept_manifest(void *userdata, const Manifest *manifest, PayloadError *error) _must_check_;

/* The signatures at the end of the payload. */
int accept_signatures(PayloadApply *apply, PayloadError *error) _must_check_;

/* Before a target is touched: is there a checkpoint of an earlier run, and is it of use? */
int resume_look(PayloadApply *apply, const Manifest *manifest, PayloadError *error) _must_check_;

/* The targets are ready: skips what an earlier run has done. */
int resume_begin(PayloadApply *apply, const Manifest *manifest, PayloadError *error) _must_check_;

/* Has the pool enough to do? What a crash costs is bounded. */
bool resume_must_wait(const PayloadApply *apply, uint64_t work);

/* So many bytes of work are done, up to mark: writes a checkpoint when it is time for one. */
int resume_advance(PayloadApply *apply, const ReaderMark *mark, uint64_t work,
                   PayloadError *error) _must_check_;

/* The payload was refused: it would be refused again. */
void resume_forget(PayloadApply *apply);
