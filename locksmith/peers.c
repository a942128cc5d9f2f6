#include "peers.h"
#include "lock-key.h"

typedef struct Answer {
        EtcdRange range;
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

const Record *peers_find(const Peers *peers, const char *id)
{
        for (size_t i = 0; i < peers->n_peers; i++)
                if (streq(peers->peers[i].id, id))
                        return &peers->peers[i].record;

        return NULL;
}

static void on_answer(const LockSideReply *reply, void *userdata)
{
        Answer *answer = userdata;

        answer->done = true;
        if (reply->why) {
                answer->r = -EIO;
                answer->why = strdup(reply->why);
        } else
                answer->r = etcd_range_copy(reply->keys, &answer->range);
}

/* A backend that keeps no keys has none. */
static int range_read(Session *session, const EtcdRangeRequest *request, EtcdRange *ret,
                      char **ret_why)
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
        *ret_why = answer.why;
        return answer.r;
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
        int r;

        r = range_read(session, &(EtcdRangeRequest) { .key = prefix, .prefix = true }, &range,
                       ret_why);
        return r < 0 ? r : peers_from_range(prefix, &range, ret);
}

int peers_read_holders(Session *session, const char *group, Peers *ret, char **ret_why)
{
        _cleanup_free_ char *prefix = NULL;
        int r;

        r = lock_key_holder(group, NULL, &prefix);
        return r < 0 ? r : peers_read(session, prefix, ret, ret_why);
}

int peers_read_queue(Session *session, const char *group, Peers *ret, char **ret_why)
{
        _cleanup_free_ char *prefix = NULL;
        int r;

        r = lock_key_ticket(group, NULL, &prefix);
        return r < 0 ? r : peers_read(session, prefix, ret, ret_why);
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
