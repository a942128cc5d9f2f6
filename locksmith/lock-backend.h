/*
 * Where the lock lives. Most backends keep its document, one text under compare-and-swap; one that
 * leaves the decision to a server is told what is wanted, and answers. A backend answers each call
 * once, from the event loop, and has at most one call about the document under way.
 *
 * Beside the document a backend may keep keys of ours: what hosts tell about themselves, and the
 * queue. Any number of calls about those may be under way.
 */
#pragma once

#include "etcd-wire.h"

typedef struct LockBackend LockBackend;

typedef enum LockAnswer {
        LOCK_ANSWER_DOCUMENT, /* what the document is now; to a swap: the race was lost */
        LOCK_ANSWER_WRITTEN,  /* to a swap: done */
        LOCK_ANSWER_UNKNOWN,  /* to a swap: it may have been done, or be done soon; read to find out
                               */
        LOCK_ANSWER_FAILED,   /* nothing was done: why tells */
        LOCK_ANSWER_BUSY,     /* to a demand: not now: why tells */
} LockAnswer;

/* A text, and the revision of its last change; NULL and 0: there is none. */
typedef struct LockText {
        const char *text;
        size_t size;
        int64_t revision;
} LockText;

/* What a backend that keeps more than the document has read together with it. */
typedef struct LockAround {
        int64_t now;            /* the revision of everything; 0: this backend keeps nothing more */
        LockText policy;        /* of the group: policy.h */
        LockText limit;         /* on all groups */
        const LockText *others; /* the documents of all other groups */
        size_t n_others;
} LockAround;

/* Borrowed: valid inside the callback only. */
typedef struct LockReply {
        LockAnswer answer;
        const char *text; /* NULL: there is no document yet */
        size_t size;
        int64_t revision;  /* of the document; 0 without one */
        LockAround around; /* of LOCK_ANSWER_DOCUMENT */
        const char *why;
} LockReply;

typedef void (*LockOnReply)(const LockReply *reply, void *userdata);

/* A text of ours beside the document, written or removed together with it where the backend can do
 * that. */
typedef struct LockSide {
        const char *key;
        const char *value; /* NULL: remove */
        int64_t lease;     /* with which it goes away; 0: none */
} LockSide;

#define LOCK_SIDES_MAX 5

typedef struct LockSwap {
        const char *text;
        int64_t revision; /* what the document must have now; 0: it must be absent */
        const LockSide *sides;
        size_t n_sides;

        /* For a backend that has told what is around. */
        const char *policy; /* its new text; NULL: it stays */
        const LockAround
                *same; /* its policy and its limit, or their absence, must still be the same;
                                   NULL: that does not matter */
        bool alone;    /* and no document of any group may have changed since */
} LockSwap;

/* What a backend without a document is asked for. */
typedef struct LockDemand {
        bool release;   /* or else: take */
        const char *id; /* whose place it is */
} LockDemand;

/* A call about keys beside the document. */
typedef struct LockCall LockCall;
struct LockCall {
        LockCall *(*cancel)(LockCall *call); /* returns NULL */
};

/* Ends a call without calling back. Returns NULL; NULL is fine. */
static inline LockCall *lock_call_cancel(LockCall *call)
{
        return call ? call->cancel(call) : NULL;
}

/* How such a call ended. Borrowed: valid inside the callback only. */
typedef struct LockSideReply {
        const char *why;       /* NULL: well; else why not */
        const EtcdRange *keys; /* of list() */
        int64_t place;         /* of enter(): the create_revision of the ticket */
        bool gone;             /* of beat(): the ticket is not there any more */
        int64_t now;           /* of list(): the revision of everything */
        int64_t lease;         /* of lease() */
} LockSideReply;

typedef void (*LockOnSide)(const LockSideReply *reply, void *userdata);

/*
 * The keys beside the document. A backend has at most one ticket, which goes away by itself when
 * nobody beats for LOCK_TICKET_SECONDS: a dead host stands in the way for at most so long.
 */
typedef struct LockSideOps {
        int (*list)(LockBackend *backend, const EtcdRangeRequest *request, LockOnSide on_reply,
                    void *userdata, LockCall **ret);
        /* Calls back when the key is another one than that of revision, or gone. */
        int (*wait)(LockBackend *backend, const char *key, int64_t revision, LockOnSide on_reply,
                    void *userdata, LockCall **ret);
        int (*remove)(LockBackend *backend, const char *key, LockOnSide on_reply, void *userdata,
                      LockCall **ret);
        /* Gets a lease for LockSide. It is not kept alive. NULL, or -EOPNOTSUPP: there are none. */
        int (*lease)(LockBackend *backend, int64_t seconds, LockOnSide on_reply, void *userdata,
                     LockCall **ret);
        /* Puts our ticket; one that is there already keeps its place. */
        int (*enter)(LockBackend *backend, const LockSide *ticket, LockOnSide on_reply,
                     void *userdata, LockCall **ret);
        int (*beat)(LockBackend *backend, LockOnSide on_reply, void *userdata, LockCall **ret);
        /* Gives our ticket up, without waiting for that; nothing when there is none. */
        void (*leave)(LockBackend *backend);
} LockSideOps;

#define LOCK_TICKET_SECONDS 60

/* What a kind of backend can do; callers use the functions below. Each call is answered, from the
 * event loop, by lock_backend_reply(). */
typedef struct LockBackendOps {
        const char *name;
        /* Without a document, instead of the next three; else NULL. Doing it twice does no harm. */
        int (*demand)(LockBackend *backend, const LockDemand *demand);
        int (*read)(LockBackend *backend);
        int (*swap)(LockBackend *backend, const LockSwap *swap);
        /* Waits, for hours if need be, until the document is another one than that of revision, or
         * something of what was around it. */
        int (*watch)(LockBackend *backend, int64_t revision);
        void (*cancel)(LockBackend *backend);
        void (*free)(LockBackend *backend);
        /* Another one for the same lock, for calls that may be made besides. NULL: this backend keeps
         * nothing around the document. One that has it may keep nothing all the same. */
        int (*clone)(const LockBackend *backend, LockBackend **ret);
        const LockSideOps *sides; /* NULL: no keys beside it */
} LockBackendOps;

struct LockBackend {
        const LockBackendOps *ops;
        LockOnReply on_reply; /* of the call under way; NULL: none is */
        void *userdata;
};

/* One call at a time. on_reply is called once, never from inside these. */
int lock_backend_demand(LockBackend *backend, const LockDemand *demand, LockOnReply on_reply,
                        void *userdata) _must_check_;
int lock_backend_read(LockBackend *backend, LockOnReply on_reply, void *userdata) _must_check_;
int lock_backend_swap(LockBackend *backend, const LockSwap *swap, LockOnReply on_reply,
                      void *userdata) _must_check_;
int lock_backend_watch(LockBackend *backend, int64_t revision, LockOnReply on_reply,
                       void *userdata) _must_check_;

/* Ends the call under way, if any, without calling back. */
void lock_backend_cancel(LockBackend *backend);

/* For backends: answers the call under way; the last of them only if r is an error, after the next
 * request of the same call. */
void lock_backend_reply(LockBackend *backend, const LockReply *reply);
void lock_backend_reply_why(LockBackend *backend, LockAnswer answer, const char *why);
void lock_backend_go_on(LockBackend *backend, int r);

static inline LockBackend *lock_backend_free(LockBackend *backend)
{
        if (backend)
                backend->ops->free(backend);
        return NULL;
}
DEFINE_CLEANUP(LockBackend *, lock_backend_free);
