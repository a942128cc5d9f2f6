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
        bool away, keep; /* of a holder: it is expected back; nobody may free its slot yet */
} Peer;

typedef struct Peers {
        Peer *peers;
        size_t n_peers;
        int64_t seen; /* of what was read: the revision of everything then */
} Peers;

/* Holders' records with their marks, or the queue in its order. Runs the session's loop; *ret_why is the caller's,
 * on -EIO. */
int peers_read_holders(Session *session, const char *group, Peers *ret,
                       char **ret_why) _must_check_;
int peers_read_queue(Session *session, const char *group, Peers *ret, char **ret_why) _must_check_;

/* Of the keys below prefix; keys that are not as we write them are none of ours. */
int peers_from_range(const char *prefix, const EtcdRange *range, Peers *ret) _must_check_;

/* The hosts of the group that are known, with the time that they last held the lock; the same way. */
int peers_read_hosts(Session *session, const char *group, Peers *ret, char **ret_why) _must_check_;

/* How many hosts of the group are known; the same way. */
int peers_count_hosts(Session *session, const char *group, uint64_t *ret,
                      char **ret_why) _must_check_;

/* Sets the mark of all peers that have a key below prefix: away, or keep. */
int peers_mark_away(Peers *peers, const char *prefix, const EtcdRange *range) _must_check_;
int peers_mark_keep(Peers *peers, const char *prefix, const EtcdRange *range) _must_check_;

/* Has anybody of them gone down? */
bool peers_any_departed(const Peers *peers);

/* The value of one key, "" when it is absent; the same way. */
int peers_read_text(Session *session, const char *key, char **ret, char **ret_why) _must_check_;

/* What is known of id, or NULL. */
const Peer *peers_find(const Peers *peers, const char *id);

/* Has this holder not come back in time; may its slot be freed? */
bool peer_is_late(const Peer *peer);
bool peer_is_gone(const Peer *peer);

void peers_done(Peers *peers);
