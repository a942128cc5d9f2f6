/*
 * Where the lock's document lives: one text under compare-and-swap. A backend answers each call
 * once, from the event loop, and has at most one call under way.
 */
#pragma once

#include "base/macros.h"

typedef struct LockBackend LockBackend;

typedef enum LockAnswer {
        LOCK_ANSWER_DOCUMENT, /* what the document is now; to a swap: the race was lost */
        LOCK_ANSWER_WRITTEN,  /* to a swap: done */
        LOCK_ANSWER_UNKNOWN,  /* to a swap: it may have been done, or be done soon; read to find out
                               */
        LOCK_ANSWER_FAILED,   /* nothing was done: why tells */
} LockAnswer;

/* Borrowed: valid inside the callback only. */
typedef struct LockReply {
        LockAnswer answer;
        const char *text; /* NULL: there is no document yet */
        size_t size;
        int64_t revision; /* of the document; 0 without one */
        const char *why;
} LockReply;

typedef void (*LockOnReply)(const LockReply *reply, void *userdata);

/* A text of ours beside the document, written or removed together with it where the backend can do
 * that. */
typedef struct LockSide {
        const char *key;
        const char *value; /* NULL: remove */
} LockSide;

#define LOCK_SIDES_MAX 3

typedef struct LockSwap {
        const char *text;
        int64_t revision; /* what the document must have now; 0: it must be absent */
        const LockSide *sides;
        size_t n_sides;
} LockSwap;

typedef struct LockBackendOps {
        const char *name;
        int (*read)(LockBackend *backend, LockOnReply on_reply, void *userdata);
        int (*swap)(LockBackend *backend, const LockSwap *swap, LockOnReply on_reply,
                    void *userdata);
        /* Waits, for hours if need be, until the document is another one than that of revision. */
        int (*watch)(LockBackend *backend, int64_t revision, LockOnReply on_reply, void *userdata);
        void (*cancel)(LockBackend *backend);
        void (*free)(LockBackend *backend);
} LockBackendOps;

struct LockBackend {
        const LockBackendOps *ops;
};

static inline LockBackend *lock_backend_free(LockBackend *backend)
{
        if (backend)
                backend->ops->free(backend);
        return NULL;
}
DEFINE_CLEANUP(LockBackend *, lock_backend_free);
