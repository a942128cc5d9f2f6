#include "peers.h"
#include "lock-key.h"

typedef struct Answer {
        EtcdRange range;
        int64_t now;
        char *why;
        bool done;
        int r;
} Answer;

void peers_done(Peers *peers)
{
        for (size_t i = 0; i < peers->n_peers; i++) {
                free(peers->peers[i].id);
                record_done(&peers->peers[i].record);
        }
        free(peers->peers);
        *peers = (Peers) {};
}

static Peer *peer_find(Peer *peers, size_t n_peers, const char *id)
{
        for (size_t i = 0; i < n_peers; i++)
                if (streq(peers[i].id, id))
                        return &peers[i];

        return NULL;
}

const Peer *peers_find(const Peers *peers, const char *id)
{
        return peer_find(peers->peers, peers->n_peers, id);
}

bool peers_any_departed(const Peers *peers)
{
        for (size_t i = 0; i < peers->n_peers; i++)
                if (peers->peers[i].record.departed > 0)
                        return true;

        return false;
}

bool peer_is_late(const Peer *peer)
{
        return record_is_late(&peer->record, peer->away);
}

bool peer_is_gone(const Peer *peer)
{
        return record_is_gone(&peer->record, peer->away, peer->keep);
}

static int peers_mark(Peers *peers, const char *prefix, const EtcdRange *range, bool away)
{
        for (size_t i = 0; i < range->n_keys; i++) {
                _cleanup_free_ char *id = NULL;
                Peer *peer;
                int r;

                r = lock_key_id(prefix, range->keys[i].key, &id);
                if (r == -ENOMEM)
                        return r;
                peer = r < 0 ? NULL : peer_find(peers->peers, peers->n_peers, id);
                if (peer && away)
                        peer->away = true;
                else if (peer)
                        peer->keep = true;
        }
        return 0;
}

int peers_mark_away(Peers *peers, const char *prefix, const EtcdRange *range)
{
        return peers_mark(peers, prefix, range, true);
}

int peers_mark_keep(Peers *peers, const char *prefix, const EtcdRange *range)
{
        return peers_mark(peers, prefix, range, false);
}

static void on_answer(const LockSideReply *reply, void *userdata)
{
        Answer *answer = userdata;

        answer->done = true;
        answer->now = reply->now;
        if (reply->why) {
                answer->r = -EIO;
                answer->why = strdup(reply->why);
        } else
                answer->r = etcd_range_copy(reply->keys, &answer->range);
}

/* A backend that keeps no keys has none. */
static int range_read_at(Session *session, const EtcdRangeRequest *request, EtcdRange *ret,
                         int64_t *ret_now, char **ret_why)
{
        const LockSideOps *sides = session->backend->ops->sides;
        Answer answer = {};
        LockCall *call;
        int r;

        if (!sides)
                return 0;
        r = sides->list(session->backend, request, on_answer, &answer, &call);
        if (r < 0)
                return r;

        r = session_wait(session, &answer.done, 0);
        if (!answer.done)
                lock_call_cancel(call);
        if (r < 0)
                return r;

        *ret = answer.range;
        *ret_now = answer.now;
        *ret_why = answer.why;
        return answer.r;
}

static int range_read(Session *session, const EtcdRangeRequest *request, EtcdRange *ret,
                      char **ret_why)
{
        int64_t now;

        return range_read_at(session, request, ret, &now, ret_why);
}

/* Keys that are not as we write them are none of ours. */
static int peers_add(Peers *peers, const char *prefix, const EtcdKey *key)
{
        Peer *peer = &peers->peers[peers->n_peers];
        int r;

        r = lock_key_id(prefix, key->key, &peer->id);
        if (r == -EBADMSG)
                return 0;
        if (r < 0)
                return r;

        peers->n_peers++;
        r = record_parse(key->value, key->value_size, &peer->record);
        if (r == -EBADMSG)
                r = record_parse("{}", strlen("{}"), &peer->record);
        return r;
}

int peers_from_range(const char *prefix, const EtcdRange *range, Peers *ret)
{
        _cleanup_(peers_done) Peers peers = {};
        int r;

        peers.peers = calloc(range->n_keys + 1, sizeof(Peer));
        if (!peers.peers)
                return -ENOMEM;
        for (size_t i = 0; i < range->n_keys; i++) {
                r = peers_add(&peers, prefix, &range->keys[i]);
                if (r < 0)
                        return r;
        }

        *ret = peers;
        peers = (Peers) {};
        return 0;
}

static int peers_read(Session *session, const char *prefix, Peers *ret, char **ret_why)
{
        _cleanup_(etcd_range_done) EtcdRange range = {};
        int64_t now = 0;
        int r;

        r = range_read_at(session, &(EtcdRangeRequest) { .key = prefix, .prefix = true }, &range,
                          &now, ret_why);
        if (r >= 0)
                r = peers_from_range(prefix, &range, ret);
        if (r < 0)
                return r;

        ret->seen = now;
        return 0;
}

static int peers_read_marks(Session *session, const char *group, Peers *peers, char **ret_why)
{
        _cleanup_(etcd_range_done) EtcdRange away = {}, keep = {};
        _cleanup_free_ char *away_key = NULL, *keep_key = NULL;
        int r;

        r = lock_key_away(group, NULL, &away_key);
        if (r >= 0)
                r = lock_key_keep(group, NULL, &keep_key);
        if (r >= 0)
                r = range_read(session, &(EtcdRangeRequest) { .key = away_key, .prefix = true },
                               &away, ret_why);
        if (r >= 0)
                r = peers_mark_away(peers, away_key, &away);
        if (r >= 0)
                r = range_read(session, &(EtcdRangeRequest) { .key = keep_key, .prefix = true },
                               &keep, ret_why);
        return r < 0 ? r : peers_mark_keep(peers, keep_key, &keep);
}

int peers_read_holders(Session *session, const char *group, Peers *ret, char **ret_why)
{
        _cleanup_(peers_done) Peers peers = {};
        _cleanup_free_ char *prefix = NULL;
        int r;

        r = lock_key_holder(group, NULL, &prefix);
        if (r >= 0)
                r = peers_read(session, prefix, &peers, ret_why);
        if (r >= 0 && peers_any_departed(&peers))
                r = peers_read_marks(session, group, &peers, ret_why);
        if (r < 0)
                return r;

        *ret = peers;
        peers = (Peers) {};
        return 0;
}

int peers_read_queue(Session *session, const char *group, Peers *ret, char **ret_why)
{
        _cleanup_free_ char *prefix = NULL;
        int r;

        r = lock_key_ticket(group, NULL, &prefix);
        return r < 0 ? r : peers_read(session, prefix, ret, ret_why);
}

int peers_read_hosts(Session *session, const char *group, Peers *ret, char **ret_why)
{
        _cleanup_free_ char *prefix = NULL;
        int r;

        r = lock_key_host(group, NULL, &prefix);
        return r < 0 ? r : peers_read(session, prefix, ret, ret_why);
}

int peers_count_hosts(Session *session, const char *group, uint64_t *ret, char **ret_why)
{
        _cleanup_(etcd_range_done) EtcdRange range = {};
        _cleanup_free_ char *prefix = NULL;
        int r;

        r = lock_key_host(group, NULL, &prefix);
        if (r >= 0)
                r = range_read(
                        session,
                        &(EtcdRangeRequest) { .key = prefix, .prefix = true, .count_only = true },
                        &range, ret_why);
        if (r < 0)
                return r;

        *ret = (uint64_t)range.count;
        return 0;
}

int peers_read_text(Session *session, const char *key, char **ret, char **ret_why)
{
        _cleanup_(etcd_range_done) EtcdRange range = {};
        int r;

        r = range_read(session, &(EtcdRangeRequest) { .key = key }, &range, ret_why);
        if (r < 0)
                return r;

        *ret = strdup(range.n_keys > 0 ? range.keys[0].value : "");
        return *ret ? 0 : -ENOMEM;
}
