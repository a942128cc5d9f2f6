/*
 * What backend-etcd.c and sides-etcd.c share; for nobody else.
 */
#pragma once

#include "backend-etcd.h"

#define BACKEND_ETCD_COMPARES_MAX 4

typedef struct BackendEtcd {
        LockBackend backend;
        Etcd *etcd;
        char *key, *policy_key;
        EtcdCall *call;
        EtcdWatch *watch;
        int64_t seen;    /* the revision of everything at the last look */
        bool has_around; /* there was something to look at besides the document */

        /* The swap under way, against which its answer is checked. The texts are gone by then, but
         * for being there. */
        EtcdCompare compares[BACKEND_ETCD_COMPARES_MAX];
        EtcdWrite writes[2 + LOCK_SIDES_MAX];
        EtcdTxnRequest request;

        int64_t lease; /* of our ticket; 0: none */
} BackendEtcd;

static inline BackendEtcd *backend_etcd_from(LockBackend *backend)
{
        return (BackendEtcd *)backend; /* its first member */
}

/* The keys beside the document, and the queue with tickets that have a lease. */
extern const LockSideOps sides_etcd_ops;
