/*
 * The worker process, as the daemon sees it: started with a plan, the keys and the target and nothing else,
 * watched through a pipe, ended at any time. The process that parses foreign bytes has no privileges.
 */
#pragma once

#include <systemd/sd-event.h>

#include "plan.h"
#include "retries.h"

/* The file descriptors of the worker beyond 0 (the plan), 1 (reports) and 2 (log). */
#define WORKER_FD_TARGET  3
#define WORKER_FD_KEYS    4
#define WORKER_FD_PAYLOAD 5 /* only when the plan has no URL */
#define WORKER_FD_KERNEL  6 /* an empty file; only when the plan says how large it may get */
#define WORKER_FD_CHECKPOINT \
        7 /* only when the plan says so: room to note how far it came, and to go on from there */

#define WORKER_KEYS_MAX (256 * KIB)
#define WORKER_LINE_MAX (8 * KIB)

typedef enum WorkerStage {
        WORKER_STAGE_FETCH,
        WORKER_STAGE_VERIFY, /* everything is there, written data is read back */
        WORKER_STAGE_DONE,
        _WORKER_STAGE_MAX,
        _WORKER_STAGE_INVALID = -EINVAL,
} WorkerStage;

DECLARE_STRING_TABLE(worker_stage, WorkerStage);

/* Callbacks, all from the event loop. The worker may be freed in on_end only. */
typedef struct WorkerHooks {
        void (*on_stage)(WorkerStage stage, void *userdata);
        void (*on_progress)(uint64_t bytes, void *userdata);
        void (*on_end)(int error, const UpdateFailure *failure, void *userdata);
        void *userdata;
} WorkerHooks;

/* What it found out about the payload so far; "" and 0: it did not say. The version is verified at the end only. */
typedef struct WorkerFacts {
        uint64_t size;
        uint64_t resumed;   /* the byte at which it went on after a break; 0: none yet */
        uint64_t continued; /* what is before that byte was done by an earlier worker; 0: nothing */
        uint64_t image;     /* bytes of the image that was written, once it is verified, … */
        bool hashed;        /* … and it is known what they hash to */
        uint8_t image_sha256[SHA256_SIZE];
        uint8_t urls[OMAHA_URLS_MAX]; /* RetriesVerdict, of the plan's addresses */
        uint64_t made, expires;       /* seconds since 1970, as it was signed */
        char *version;                /* may be NULL */
} WorkerFacts;

typedef struct WorkerParameters {
        const char *program; /* path of updated-worker */
        const char *user;    /* to run as when we are root; NULL or "" or unknown: as we are */
        const char *plan;    /* text */
        const char *keys;    /* PEM text */
        int target_fd;
        int payload_fd;           /* 0: the plan has URLs */
        int kernel_fd;            /* 0: kernels are not written */
        uint64_t kernel_size_max; /* of the plan */
        int checkpoint_fd;        /* 0: nobody is to go on with it */
} WorkerParameters;

typedef struct Worker Worker;

/* Everything in parameters is borrowed for the call; the worker gets copies. SIGCHLD must be blocked. */
int worker_start(sd_event *event, const WorkerParameters *parameters, const WorkerHooks *hooks,
                 Worker **ret) _must_check_;

const WorkerFacts *worker_facts(const Worker *worker); /* borrowed */

/* Ends the process when it still runs. */
Worker *worker_free(Worker *worker);
DEFINE_CLEANUP(Worker *, worker_free);
