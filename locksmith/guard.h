/*
 * The guard of the etcd cluster that this host may be a member of: nobody goes down when that would
 * cost the quorum, and nobody who came back gives the lock away before the member is well again.
 */
#pragma once

#include "cluster.h"

#define GUARD_MEMBER_FILE "/var/lib/updated/etcd-member" /* the ids that ran here, a line each */
#define GUARD_WHY_MAX     512

typedef enum GuardKind {
        GUARD_LEAVE,  /* may this host go down? */
        GUARD_RETURN, /* is its member back? */
} GuardKind;

typedef struct Guard Guard;

/* Borrowed: valid inside the callback only. */
typedef struct GuardReply {
        bool agrees;
        const char *why;     /* what was found in both cases, for people */
        const char *warning; /* what is risky about the cluster; NULL: nothing */
} GuardReply;

typedef void (*GuardOnDone)(const GuardReply *reply, void *userdata);

/*
 * Asks all members. With remember, a host that may leave notes which members run here: after the
 * boot they are known even when their addresses are not the same any more. settings is borrowed for
 * as long as it lasts. Calls back from the event loop, never from here.
 */
int guard_ask(Session *session, const Settings *settings, GuardKind kind, bool remember,
              GuardOnDone on_done, void *userdata, Guard **ret) _must_check_;
/* What keeps a member on this host from being well and back, or NULL: a fixed text. Pure. */
const char *guard_member_problem(const Cluster *cluster, const ClusterMember *member,
                                 const char *host_name);

Guard *guard_cancel(Guard *guard); /* returns NULL; NULL is fine */
