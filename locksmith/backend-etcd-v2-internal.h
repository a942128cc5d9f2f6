/*
 * What backend-etcd-v2.c and sides-etcd-v2.c share; for nobody else.
 */
#pragma once

#include "backend-etcd.h"
#include "etcd-v2-watch.h"

/* One write of a swap. */
typedef struct V2Step {
        char *key, *value; /* NULL: remove */
        bool document;     /* under compare-and-swap */
} V2Step;

typedef struct BackendV2 {
        LockBackend backend;
        Etcd *etcd;
        char *key;
        EtcdCall *call;
        EtcdV2Watch *watch;

        /* The swap under way. */
        V2Step steps[1 + LOCK_SIDES_MAX];
        size_t n_steps, step;
        int64_t revision; /* the document must have it */
        int64_t written;  /* the revision it has then; 0: not yet */

        char *ticket; /* its key; NULL: none */
} BackendV2;

static inline BackendV2 *backend_v2_from(LockBackend *backend)
{
        return (BackendV2 *)backend; /* its first member */
}

/* The keys beside the document, and the queue with tickets that have a time to live. */
extern const LockSideOps sides_etcd_v2_ops;
