#include "backend-etcd-internal.h"

static void reply(BackendEtcd *b, const LockReply *answer)
{
        b->on_reply(answer, b->userdata);
}

static void reply_why(BackendEtcd *b, LockAnswer answer, const char *why)
{
        reply(b, &(LockReply) { .answer = answer, .why = why });
}

/* Absent, or exactly the one key that was asked for. */
static void reply_range(BackendEtcd *b, const EtcdRange *range)
{
        const EtcdKey *key = range->n_keys > 0 ? &range->keys[0] : NULL;

        if (range->n_keys > 1 || (key && !streq(key->key, b->key)))
                reply_why(b, LOCK_ANSWER_FAILED,
                          "etcd answered with another key than was asked for");
        else
                reply(b, &(LockReply) {
                                 .answer = LOCK_ANSWER_DOCUMENT,
                                 .text = key ? key->value : NULL,
                                 .size = key ? key->value_size : 0,
                                 .revision = key ? key->mod_revision : 0,
                         });
}

static void on_range(const EtcdReply *answer, void *userdata)
{
        _cleanup_(etcd_range_done) EtcdRange range = {};
        BackendEtcd *b = userdata;
        int64_t revision;

        b->call = NULL;
        if (answer->outcome != ETCD_DONE)
                reply_why(b, LOCK_ANSWER_FAILED, answer->why);
        else if (etcd_range_parse(answer->body, answer->size, &range, &revision) < 0)
                reply_why(b, LOCK_ANSWER_FAILED, "the answer is none of etcd to a range request");
        else
                reply_range(b, &range);
}

static void on_txn(const EtcdReply *answer, void *userdata)
{
        _cleanup_(etcd_txn_done) EtcdTxn txn = {};
        BackendEtcd *b = userdata;

        b->call = NULL;
        if (answer->outcome != ETCD_DONE)
                reply_why(b,
                          answer->outcome == ETCD_UNKNOWN ? LOCK_ANSWER_UNKNOWN
                                                          : LOCK_ANSWER_FAILED,
                          answer->why);
        else if (etcd_txn_parse(answer->body, answer->size, &b->request, &txn) < 0)
                reply_why(b, LOCK_ANSWER_UNKNOWN, "the answer is none of etcd to a transaction");
        else if (txn.succeeded)
                reply(b, &(LockReply) { .answer = LOCK_ANSWER_WRITTEN, .revision = txn.revision });
        else
                reply_range(b, &txn.ranges[0]);
}

static int backend_etcd_read(LockBackend *backend, LockOnReply on_reply, void *userdata)
{
        BackendEtcd *b = backend_etcd_from(backend);
        char *body;
        int r;

        assert(!b->call && !b->watch);
        b->on_reply = on_reply;
        b->userdata = userdata;

        r = etcd_range_build(&b->read, &body);
        if (r < 0)
                return r;
        return etcd_call(b->etcd, "/v3/kv/range", body, false, on_range, b, &b->call);
}

static int backend_etcd_swap(LockBackend *backend, const LockSwap *swap, LockOnReply on_reply,
                             void *userdata)
{
        BackendEtcd *b = backend_etcd_from(backend);
        char *body;
        int r;

        assert(!b->call && !b->watch && swap->n_sides <= LOCK_SIDES_MAX);
        b->on_reply = on_reply;
        b->userdata = userdata;

        b->compare = (EtcdCompare) {
                .key = b->key,
                .target = swap->revision == 0 ? ETCD_CREATE_REVISION : ETCD_MOD_REVISION,
                .revision = swap->revision,
        };
        b->writes[0] = (EtcdWrite) { .key = b->key, .value = swap->text };
        for (size_t i = 0; i < swap->n_sides; i++)
                b->writes[i + 1] = (EtcdWrite) { swap->sides[i].key, swap->sides[i].value, 0 };
        b->request = (EtcdTxnRequest) {
                .compares = &b->compare,
                .n_compares = 1,
                .writes = b->writes,
                .n_writes = 1 + swap->n_sides,
                .reads = &b->read,
                .n_reads = 1,
        };

        r = etcd_txn_build(&b->request, &body);
        if (r < 0)
                return r;
        return etcd_call(b->etcd, "/v3/kv/txn", body, true, on_txn, b, &b->call);
}

static void on_change(const EtcdWatchLine *line, const char *why, void *userdata)
{
        BackendEtcd *b = userdata;

        b->watch = NULL;
        if (!line || line->canceled) {
                etcd_rotate(b->etcd); /* the member may be the one that is leaving */
                reply_why(b, LOCK_ANSWER_FAILED, why);
        } else if (!streq(line->key.key, b->key))
                reply_why(b, LOCK_ANSWER_FAILED,
                          "etcd answered with another key than was asked for");
        else
                reply(b, &(LockReply) {
                                 .answer = LOCK_ANSWER_DOCUMENT,
                                 .text = line->deleted ? NULL : line->key.value,
                                 .size = line->deleted ? 0 : line->key.value_size,
                                 .revision = line->deleted ? 0 : line->key.mod_revision,
                         });
}

static int backend_etcd_watch(LockBackend *backend, int64_t revision, LockOnReply on_reply,
                              void *userdata)
{
        BackendEtcd *b = backend_etcd_from(backend);

        assert(!b->call && !b->watch);
        b->on_reply = on_reply;
        b->userdata = userdata;
        return etcd_watch(b->etcd, b->key, revision + 1, on_change, b, &b->watch);
}

static void backend_etcd_cancel(LockBackend *backend)
{
        BackendEtcd *b = backend_etcd_from(backend);

        b->call = etcd_cancel(b->call);
        b->watch = etcd_watch_cancel(b->watch);
}

static void backend_etcd_free(LockBackend *backend)
{
        BackendEtcd *b = backend_etcd_from(backend);

        backend_etcd_cancel(backend);
        free(b->key);
        free(b);
}

static const LockBackendOps backend_etcd_ops = {
        .name = "etcd v3",
        .read = backend_etcd_read,
        .swap = backend_etcd_swap,
        .watch = backend_etcd_watch,
        .cancel = backend_etcd_cancel,
        .free = backend_etcd_free,
        .sides = &sides_etcd_ops,
};

int backend_etcd_new(Etcd *etcd, const char *key, LockBackend **ret)
{
        BackendEtcd *b = calloc(1, sizeof(BackendEtcd));

        if (!b)
                return -ENOMEM;
        b->key = strdup(key);
        if (!b->key) {
                free(b);
                return -ENOMEM;
        }

        b->backend.ops = &backend_etcd_ops;
        b->etcd = etcd;
        b->read = (EtcdRangeRequest) { .key = b->key };
        *ret = &b->backend;
        return 0;
}
