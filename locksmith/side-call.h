/*
 * One call about keys beside the lock's document, as both APIs of etcd do it; for backends only.
 */
#pragma once

#include "etcd-v2-watch.h"
#include "lock-backend.h"

typedef struct SideCall {
        LockCall call;
        LockBackend *backend;
        EtcdCall *etcd;
        EtcdWatch *watch;
        EtcdV2Watch *v2_watch;
        char *key, *text;         /* what it is about; text of a ticket */
        EtcdRangeRequest request; /* of a list; its key is key above */
        bool exists;              /* of a ticket of v2: the one that is there is put again */
        LockOnSide on_reply;
        void *userdata;
} SideCall;

/* The begin of each call. key may be NULL. */
int side_call_new(LockBackend *backend, const char *key, LockOnSide on_reply, void *userdata,
                  SideCall **ret) _must_check_;

/* The end of each begin: r says whether all of it went well. Gives the call to the caller, or frees
 * it; returns r, or 0. */
int side_call_begun(SideCall *call, int r, LockCall **ret) _must_check_;

/* The begin of each answer: was there one? If not, that is told, and the call is over. */
bool side_call_answered(SideCall *call, const EtcdReply *reply) _must_check_;

/* Calls back, and frees it. */
void side_call_finish(SideCall *call, const LockSideReply *reply);
void side_call_fail(SideCall *call, const char *why);

/* After the next request of the same call: nothing if r says that it was sent. */
void side_call_go_on(SideCall *call, int r);
