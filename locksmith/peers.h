/*
 * What the hosts of a group tell about themselves: the records beside the lock and in the queue, as
 * etcd has them.
 */
#pragma once

#include "record.h"
#include "session.h"

typedef struct Peer {
        char *id; /* as it is in the lock */
        Record record;
} Peer;

typedef struct Peers {
        Peer *peers;
        size_t n_peers;
} Peers;

/* Holders' records, or the queue in its order. Runs the session's loop; *ret_why is the caller's,
 * on -EIO. */
int peers_read_holders(Session *session, const char *group, Peers *ret,
                       char **ret_why) _must_check_;
int peers_read_queue(Session *session, const char *group, Peers *ret, char **ret_why) _must_check_;

/* Of the keys below prefix; keys that are not as we write them are none of ours. */
int peers_from_range(const char *prefix, const EtcdRange *range, Peers *ret) _must_check_;

/* The value of one key, "" when it is absent; the same way. */
int peers_read_text(Session *session, const char *key, char **ret, char **ret_why) _must_check_;

/* The record of id, or NULL. */
const Record *peers_find(const Peers *peers, const char *id);

void peers_done(Peers *peers);
