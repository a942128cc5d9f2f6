/*
 * What is done with the lock: read it, take it, give it back, set how many may hold it. Each is a
 * loop of compare-and-swap over a LockBackend, asynchronous on the event loop; with a backend that
 * has no document it is a demand that is made until it is answered.
 *
 * An answer that got lost is resolved by reading: a swap names the revision it replaces, so it can
 * not be done behind our back once the document is seen to have moved on, and sending it again can
 * not do it twice.
 */
#pragma once

#include <systemd/sd-event.h>

#include "backoff.h"
#include "lock-backend.h"
#include "policy.h"
#include "semaphore.h"

#define LOCK_TRIES_MAX \
        100 /* lost races before giving up; each loss means that somebody else got on */
#define LOCK_UNKNOWNS_MAX 4 /* answers lost in a row */
#define LOCK_RACE_WAIT    (256 * USEC_PER_MSEC)
#define LOCK_RETRY_FIRST  (1 * USEC_PER_SEC)
#define LOCK_RETRY_MAX    (60 * USEC_PER_SEC)
#define LOCK_BUSY_FIRST \
        (5 * USEC_PER_SEC) /* where there is nothing to watch: ask again after this */
#define LOCK_BUSY_MAX  (5 * USEC_PER_MINUTE)
#define LOCK_WATCH_MAX (5 * USEC_PER_MINUTE) /* a silent watch is then replaced: it may be dead */

typedef struct LockOperation LockOperation;

typedef enum LockKind {
        LOCK_KIND_READ,
        LOCK_KIND_TAKE,
        LOCK_KIND_RELEASE,
        LOCK_KIND_SET_MAX,
        LOCK_KIND_EDIT, /* what the request's edit does, and nothing else */
} LockKind;

typedef enum LockOutcome {
        LOCK_DONE,
        LOCK_BUSY,       /* no free slot, or the policy says no */
        LOCK_NOT_HOLDER, /* nothing to release */
        LOCK_REFUSED,    /* the key holds something that is no semaphore, or the backend can not do
                            it: not touched */
        LOCK_FAILED,     /* the backend could not be asked, or not to the end */
} LockOutcome;

/* Borrowed: valid inside the callback only. */
typedef struct LockResult {
        LockOutcome outcome;
        const Semaphore *semaphore; /* as it is now; NULL when it is not known */
        const PolicyView *view;     /* as it was read; NULL with the semaphore */
        int64_t old_max;            /* of LOCK_KIND_SET_MAX */
        bool unsure;                /* of LOCK_FAILED: it may be done all the same */
        const char *why;            /* one line for people, "" when done */
} LockResult;

typedef void (*LockOnResult)(const LockResult *result, void *userdata);

/*
 * Changes what was read, before it is written: 1 when it has, 0, or -errno, which ends the operation;
 * -ENOENT as LOCK_NOT_HOLDER. Run on what it has written itself, it must come to the same end. A policy
 * that could not be read is not written, unless the edit makes it one: view->damaged is false then.
 */
typedef int (*LockEdit)(Semaphore *semaphore, PolicyView *view, int64_t revision, void *userdata);

/* Borrowed during lock_start() only, but for userdata. */
typedef struct LockRequest {
        LockKind kind;
        const char *id; /* of TAKE and RELEASE */
        int64_t max;    /* of SET_MAX, not negative */

        /* A record of ours beside the lock, written with it; without text it is removed. TAKE makes
         * the time of taking its "since". NULL: none. */
        const char *record_key, *record;

        /* More texts of ours, likewise. */
        const LockSide *sides;
        size_t n_sides;

        /* Behind what kind does, in the same transaction; not of READ, and not where the backend
         * keeps no policy. NULL: nothing. */
        LockEdit edit;
        void *edit_userdata;

        /* Our ticket of the queue: removed by TAKE and by RELEASE. NULL: none. */
        const char *ticket_key;

        /*
         * Never give up: wait for a free slot, and try again when the backend fails. on_wait is
         * told each time why it takes longer; the result is LOCK_DONE or, of RELEASE,
         * LOCK_NOT_HOLDER.
         */
        bool persistent;
        LockOnResult on_wait; /* may be NULL */
        LockOnResult on_done;
        void *userdata;
} LockRequest;

/* Callbacks come from the event loop, never from inside this call. The operation is freed behind
 * on_done, in which the backend may be freed as well. */
int lock_start(sd_event *event, LockBackend *backend, const LockRequest *request,
               LockOperation **ret) _must_check_;

/* Ends an operation without calling back; a write under way may still be done. Returns NULL; NULL
 * is fine. */
LockOperation *lock_cancel(LockOperation *operation);
