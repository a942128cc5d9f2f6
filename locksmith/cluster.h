/*
 * The members of the etcd cluster, each asked for its own state, and which of them run on this
 * host.
 */
#pragma once

#include "session.h"

/* So many entries of the log behind the others, a member has not caught up. */
#define CLUSTER_LAG_MAX 1000

typedef struct ClusterMember {
        const EtcdMember *member;
        EtcdStatus status;
        bool answered;
        bool healthy; /* it answered, as a member of this cluster, and has a leader */
        bool here;    /* by its addresses, or because a loopback endpoint is this member */
} ClusterMember;

/* Borrowed: valid inside the callback only. */
typedef struct Cluster {
        ClusterMember *members;
        size_t n_members;
        uint64_t raft_index;  /* the newest entry of the log that anybody knows */
        const char *stranger; /* an endpoint of the settings that is of another cluster, or NULL */
} Cluster;

typedef struct ClusterLook ClusterLook;

/* cluster is NULL when the members could not even be listed: why tells. */
typedef void (*ClusterOnDone)(const Cluster *cluster, const char *why, void *userdata);

/* settings is borrowed for as long as it lasts. Calls back from the event loop, never from here. */
int cluster_look(Session *session, const Settings *settings, ClusterOnDone on_done, void *userdata,
                 ClusterLook **ret) _must_check_;
ClusterLook *cluster_look_cancel(ClusterLook *look); /* returns NULL; NULL is fine */

/*
 * Does the URL name an address of this host, or its name? A loopback address names every host:
 * -ENODATA then, and for other names, which nobody resolves here.
 */
int cluster_url_is_here(const char *url, const char *host_name);
