/*
 * One call about keys beside the lock's document, as both APIs of etcd do it; for backends only.
 */
#pragma once

#include "etcd.h"
#include "lock-backend.h"

typedef struct SideCall {
        LockCall call;
        LockBackend *backend;
        EtcdCall *etcd;
        EtcdWatch *watch;
        char *key, *text;         /* what it is about; text of a ticket */
        EtcdRangeRequest request; /* of a list; its key is key above */
        int64_t revision, index;  /* of a wait */
        LockOnSide on_reply;
        void *userdata;
} SideCall;

/* key may be NULL. */
int side_call_new(LockBackend *backend, const char *key, LockOnSide on_reply, void *userdata,
                  SideCall **ret) _must_check_;
void side_call_free(SideCall *call); /* without calling back; NULL is fine */
DEFINE_CLEANUP(SideCall *, side_call_free);

/* Calls back, and frees it. */
void side_call_finish(SideCall *call, const LockSideReply *reply);
void side_call_fail(SideCall *call, const char *why);
