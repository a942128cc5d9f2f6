#include "backend-etcd-internal.h"
#include "lock-key.h"

/* All semaphores and all policies in one read: any of them may decide about one lock. */
static const EtcdRangeRequest decisions = {
        .key = LOCK_KEY_DECISIONS,
        .end = LOCK_KEY_DECISIONS_END,
};

static LockText key_text(const EtcdKey *key)
{
        return (LockText) { key->value, key->value_size, key->mod_revision };
}

static void key_sort(const BackendEtcd *b, const EtcdKey *key, LockText *document,
                     LockAround *around, LockText *others)
{
        if (streq(key->key, b->key))
                *document = key_text(key);
        else if (streq(key->key, b->policy_key))
                around->policy = key_text(key);
        else if (streq(key->key, LOCK_KEY_LIMIT))
                around->limit = key_text(key);
        else if (lock_key_is_semaphore(key->key))
                others[around->n_others++] = key_text(key);
}

static void reply_range(BackendEtcd *b, const EtcdRange *range, int64_t revision)
{
        _cleanup_free_ LockText *others = calloc(range->n_keys + 1, sizeof(LockText));
        LockAround around = { .now = revision, .others = others };
        LockText document = {};

        if (!others) {
                lock_backend_reply_why(&b->backend, LOCK_ANSWER_FAILED, strerror(ENOMEM));
                return;
        }
        for (size_t i = 0; i < range->n_keys; i++)
                key_sort(b, &range->keys[i], &document, &around, others);

        b->seen = revision;
        b->has_around = around.policy.text || around.limit.text;
        lock_backend_reply(&b->backend, &(LockReply) {
                                                .answer = LOCK_ANSWER_DOCUMENT,
                                                .text = document.text,
                                                .size = document.size,
                                                .revision = document.revision,
                                                .around = around,
                                        });
}

static void on_range(const EtcdReply *answer, void *userdata)
{
        _cleanup_(etcd_range_done) EtcdRange range = {};
        BackendEtcd *b = userdata;
        int64_t revision;

        b->call = NULL;
        if (answer->outcome != ETCD_DONE)
                lock_backend_reply_why(&b->backend, LOCK_ANSWER_FAILED, answer->why);
        else if (etcd_range_parse(answer->body, answer->size, &range, &revision) < 0)
                lock_backend_reply_why(&b->backend, LOCK_ANSWER_FAILED,
                                       "the answer is none of etcd to a range request");
        else
                reply_range(b, &range, revision);
}

static void on_txn(const EtcdReply *answer, void *userdata)
{
        _cleanup_(etcd_txn_done) EtcdTxn txn = {};
        BackendEtcd *b = userdata;

        b->call = NULL;
        if (answer->outcome != ETCD_DONE)
                lock_backend_reply_why(&b->backend,
                                       answer->outcome == ETCD_UNKNOWN ? LOCK_ANSWER_UNKNOWN
                                                                       : LOCK_ANSWER_FAILED,
                                       answer->why);
        else if (etcd_txn_parse(answer->body, answer->size, &b->request, &txn) < 0)
                lock_backend_reply_why(&b->backend, LOCK_ANSWER_UNKNOWN,
                                       "the answer is none of etcd to a transaction");
        else if (txn.succeeded)
                lock_backend_reply(&b->backend, &(LockReply) { .answer = LOCK_ANSWER_WRITTEN,
                                                               .revision = txn.revision });
        else
                reply_range(b, &txn.ranges[0], txn.revision);
}

static int backend_etcd_read(LockBackend *backend)
{
        BackendEtcd *b = backend_etcd_from(backend);
        char *body;
        int r;

        r = etcd_range_build(&decisions, &body);
        if (r < 0)
                return r;
        return etcd_call(b->etcd, "/v3/kv/range", body, false, on_range, b, &b->call);
}

static size_t swap_compares(BackendEtcd *b, const LockSwap *swap)
{
        size_t n = 0;

        b->compares[n++] = (EtcdCompare) {
                .key = b->key,
                .target = swap->revision == 0 ? ETCD_CREATE_REVISION : ETCD_MOD_REVISION,
                .revision = swap->revision,
        };
        if (swap->same) {
                b->compares[n++] = (EtcdCompare) { .key = b->policy_key,
                                                   .target = ETCD_MOD_REVISION,
                                                   .revision = swap->same->policy.revision };
                b->compares[n++] = (EtcdCompare) { .key = LOCK_KEY_LIMIT,
                                                   .target = ETCD_MOD_REVISION,
                                                   .revision = swap->same->limit.revision };
        }
        if (swap->alone)
                b->compares[n++] = (EtcdCompare) { .key = decisions.key,
                                                   .end = decisions.end,
                                                   .target = ETCD_UNCHANGED_SINCE,
                                                   .revision = b->seen };
        return n;
}

static size_t swap_writes(BackendEtcd *b, const LockSwap *swap)
{
        size_t n = 0;

        b->writes[n++] = (EtcdWrite) { .key = b->key, .value = swap->text };
        if (swap->policy)
                b->writes[n++] = (EtcdWrite) { .key = b->policy_key, .value = swap->policy };
        for (size_t i = 0; i < swap->n_sides; i++)
                b->writes[n++] = (EtcdWrite) { swap->sides[i].key, swap->sides[i].value,
                                               swap->sides[i].lease };
        return n;
}

static int backend_etcd_swap(LockBackend *backend, const LockSwap *swap)
{
        BackendEtcd *b = backend_etcd_from(backend);
        char *body;
        int r;

        b->request = (EtcdTxnRequest) {
                .compares = b->compares,
                .n_compares = swap_compares(b, swap),
                .writes = b->writes,
                .n_writes = swap_writes(b, swap),
                .reads = &decisions,
                .n_reads = 1,
        };

        r = etcd_txn_build(&b->request, &body);
        if (r < 0)
                return r;
        return etcd_call(b->etcd, "/v3/kv/txn", body, true, on_txn, b, &b->call);
}

/* The line tells of one key; where others matter, too, all are read again. */
static void on_change_line(BackendEtcd *b, const EtcdWatchLine *line)
{
        if (!b->has_around && streq(line->key.key, b->key)) {
                b->seen = line->key.mod_revision;
                lock_backend_reply(&b->backend,
                                   &(LockReply) {
                                           .answer = LOCK_ANSWER_DOCUMENT,
                                           .text = line->deleted ? NULL : line->key.value,
                                           .size = line->deleted ? 0 : line->key.value_size,
                                           .revision = line->deleted ? 0 : line->key.mod_revision,
                                           .around = { .now = b->seen },
                                   });
                return;
        }

        lock_backend_go_on(&b->backend, backend_etcd_read(&b->backend));
}

static void on_change(const EtcdWatchLine *line, const char *why, void *userdata)
{
        BackendEtcd *b = userdata;

        b->watch = NULL;
        if (!line || line->canceled) {
                etcd_rotate(b->etcd); /* the member may be the one that is leaving */
                lock_backend_reply_why(&b->backend, LOCK_ANSWER_FAILED, why);
        } else
                on_change_line(b, line);
}

/* From the last look on, and not from the last change of the document, which may be so old that it
 * was compacted away. */
static int backend_etcd_watch(LockBackend *backend, _unused_ int64_t revision)
{
        BackendEtcd *b = backend_etcd_from(backend);

        return etcd_watch(b->etcd,
                          &(EtcdWatchRequest) {
                                  .key = b->has_around ? decisions.key : b->key,
                                  .end = b->has_around ? decisions.end : NULL,
                                  .start_revision = b->seen + 1,
                          },
                          on_change, b, &b->watch);
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
        free(b->policy_key);
        free(b);
}

/* The lock of key, for a client of like.etcd with the ops of like. */
static int backend_etcd_make(const BackendEtcd *like, const char *key, const char *policy_key,
                             LockBackend **ret)
{
        BackendEtcd *b = calloc(1, sizeof(BackendEtcd));
        int r;

        if (!b)
                return -ENOMEM;
        b->backend.ops = like->backend.ops;
        b->etcd = like->etcd;
        r = text_set(&b->key, key);
        if (r >= 0)
                r = text_set(&b->policy_key, policy_key);
        if (r < 0) {
                backend_etcd_free(&b->backend);
                return r;
        }

        *ret = &b->backend;
        return 0;
}

static int backend_etcd_clone(const LockBackend *backend, LockBackend **ret)
{
        const BackendEtcd *b = (const BackendEtcd *)backend; /* its first member */

        return backend_etcd_make(b, b->key, b->policy_key, ret);
}

static const LockBackendOps backend_etcd_ops = {
        .name = "etcd v3",
        .read = backend_etcd_read,
        .swap = backend_etcd_swap,
        .watch = backend_etcd_watch,
        .cancel = backend_etcd_cancel,
        .free = backend_etcd_free,
        .clone = backend_etcd_clone,
        .sides = &sides_etcd_ops,
};

int backend_etcd_new(Etcd *etcd, const char *group, LockBackend **ret)
{
        BackendEtcd like = { .backend = { &backend_etcd_ops }, .etcd = etcd };
        _cleanup_free_ char *key = NULL, *policy_key = NULL;
        int r;

        r = lock_key_semaphore(group, &key);
        if (r >= 0)
                r = lock_key_policy(group, &policy_key);
        return r < 0 ? r : backend_etcd_make(&like, key, policy_key, ret);
}
