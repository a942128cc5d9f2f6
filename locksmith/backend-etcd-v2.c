#include <stdio.h>

#include "backend-etcd-v2-internal.h"

#define QUERY_MAX 96

static void reply_document(BackendV2 *b, const EtcdV2Answer *answer)
{
        bool absent = answer->error == ETCD_V2_KEY_NOT_FOUND || answer->gone;

        if (answer->error != ETCD_V2_OK && !absent)
                lock_backend_reply_why(&b->backend, LOCK_ANSWER_FAILED, answer->why);
        else if (answer->directory)
                lock_backend_reply_why(&b->backend, LOCK_ANSWER_FAILED, "the key is a directory");
        else
                lock_backend_reply(&b->backend,
                                   &(LockReply) {
                                           .answer = LOCK_ANSWER_DOCUMENT,
                                           .text = absent ? NULL : answer->key.value,
                                           .size = absent ? 0 : answer->key.value_size,
                                           .revision = absent ? 0 : answer->key.mod_revision,
                                   });
}

static void on_read(const EtcdReply *answer, void *userdata)
{
        _cleanup_(etcd_v2_answer_done) EtcdV2Answer parsed = {};
        BackendV2 *b = userdata;

        b->call = NULL;
        if (answer->outcome != ETCD_DONE)
                lock_backend_reply_why(&b->backend, LOCK_ANSWER_FAILED, answer->why);
        else if (etcd_v2_answer_parse(answer->body, answer->size, b->key, &parsed) < 0)
                lock_backend_reply_why(&b->backend, LOCK_ANSWER_FAILED, ETCD_V2_NO_ANSWER);
        else
                reply_document(b, &parsed);
}

static int document_get(BackendV2 *b)
{
        return etcd_v2_call(b->etcd, &ETCD_V2_GET(b->key), on_read, b, &b->call);
}

static int backend_v2_read(LockBackend *backend)
{
        return document_get(backend_v2_from(backend));
}

static void steps_done(BackendV2 *b)
{
        for (size_t i = 0; i < b->n_steps; i++) {
                free(b->steps[i].key);
                free(b->steps[i].value);
        }
        b->n_steps = b->step = 0;
}

static int step_add(BackendV2 *b, const char *key, const char *value, bool document)
{
        V2Step *step = &b->steps[b->n_steps++];
        int r;

        *step = (V2Step) { .document = document };
        r = text_set(&step->key, key);
        return r < 0 ? r : text_set(&step->value, value);
}

/*
 * There are no transactions: what is put beside the document comes first, what is removed comes
 * last. So a holder has its record whenever it holds the lock, and what is left behind by a crash in
 * between is a record without a holder, which means nothing.
 */
static int steps_plan(BackendV2 *b, const LockSwap *swap)
{
        int r = 0;

        steps_done(b);
        for (size_t i = 0; i < swap->n_sides && r >= 0; i++)
                if (swap->sides[i].value)
                        r = step_add(b, swap->sides[i].key, swap->sides[i].value, false);
        if (r >= 0)
                r = step_add(b, b->key, swap->text, true);
        for (size_t i = 0; i < swap->n_sides && r >= 0; i++)
                if (!swap->sides[i].value)
                        r = step_add(b, swap->sides[i].key, NULL, false);
        return r;
}

static int steps_go_on(BackendV2 *b);

/* Somebody else was faster, or nobody knows: the rest is not done. */
static void swap_end(BackendV2 *b)
{
        steps_done(b);
        b->written = 0;
}

static void document_written(BackendV2 *b, const EtcdV2Answer *answer)
{
        int r;

        if (answer->error == ETCD_V2_OK && !answer->directory && !answer->gone
            && streq(answer->key.value, b->steps[b->step].value)) {
                b->written = answer->key.mod_revision;
                b->step++;
                r = steps_go_on(b);
        } else if (answer->error == ETCD_V2_COMPARE_FAILED || answer->error == ETCD_V2_KEY_EXISTS
                   || answer->error == ETCD_V2_KEY_NOT_FOUND) {
                swap_end(b);
                r = document_get(b);
        } else {
                swap_end(b);
                lock_backend_reply_why(&b->backend, LOCK_ANSWER_FAILED,
                                       answer->error
                                               ? answer->why
                                               : "etcd answered with another value than was put");
                return;
        }
        lock_backend_go_on(&b->backend, r);
}

static void on_step(const EtcdReply *answer, void *userdata)
{
        _cleanup_(etcd_v2_answer_done) EtcdV2Answer parsed = {};
        BackendV2 *b = userdata;
        V2Step *step = &b->steps[b->step];
        bool well;
        int r;

        b->call = NULL;
        well = answer->outcome == ETCD_DONE
               && etcd_v2_answer_parse(answer->body, answer->size, step->key, &parsed) >= 0;
        if (step->document && well) {
                document_written(b, &parsed);
                return;
        }
        if (step->document) {
                swap_end(b);
                lock_backend_reply_why(&b->backend,
                                       answer->outcome == ETCD_FAILED ? LOCK_ANSWER_FAILED
                                                                      : LOCK_ANSWER_UNKNOWN,
                                       *answer->why ? answer->why : ETCD_V2_NO_ANSWER);
                return;
        }
        if (b->written == 0 && (!well || parsed.error != ETCD_V2_OK)) {
                swap_end(b);
                lock_backend_reply_why(&b->backend, LOCK_ANSWER_FAILED,
                                       well ? parsed.why : answer->why);
                return;
        }

        b->step++; /* what could not be tidied up after the swap does no harm */
        r = steps_go_on(b);
        lock_backend_go_on(&b->backend, r);
}

static int step_send(BackendV2 *b)
{
        const V2Step *step = &b->steps[b->step];
        _cleanup_free_ char *form = NULL;
        char query[QUERY_MAX] = "";
        int r;

        if (step->document && b->revision == 0)
                (void)snprintf(query, sizeof(query), "prevExist=false"); /* fits, as the next */
        else if (step->document)
                (void)snprintf(query, sizeof(query), "prevIndex=%lld", (long long)b->revision);
        if (step->value) {
                r = etcd_v2_form_build(step->value, 0, &form);
                if (r < 0)
                        return r;
        }

        return etcd_v2_call(b->etcd,
                            &(EtcdV2Message) {
                                    .method = step->value ? "PUT" : "DELETE",
                                    .key = step->key,
                                    .query = query,
                                    .form = form,
                                    .write = step->document, /* the others may be done twice */
                            },
                            on_step, b, &b->call);
}

static int steps_go_on(BackendV2 *b)
{
        int64_t written = b->written;

        while (b->step < b->n_steps) {
                int r = step_send(b);

                if (r != -EINVAL || b->steps[b->step].document)
                        return r;
                b->step++; /* v2 can have no key of that name */
        }

        swap_end(b);
        lock_backend_reply(&b->backend,
                           &(LockReply) { .answer = LOCK_ANSWER_WRITTEN, .revision = written });
        return 0;
}

static int backend_v2_swap(LockBackend *backend, const LockSwap *swap)
{
        BackendV2 *b = backend_v2_from(backend);
        int r;

        b->revision = swap->revision;
        b->written = 0;
        r = steps_plan(b, swap);
        return r < 0 ? r : steps_go_on(b);
}

static void on_change(const EtcdV2Answer *answer, const char *why, void *userdata)
{
        BackendV2 *b = userdata;

        b->watch = NULL;
        if (answer)
                reply_document(b, answer);
        else
                lock_backend_reply_why(&b->backend, LOCK_ANSWER_FAILED, why);
}

static int backend_v2_watch(LockBackend *backend, int64_t revision)
{
        BackendV2 *b = backend_v2_from(backend);

        return etcd_v2_watch(b->etcd,
                             &(EtcdWatchRequest) { .key = b->key, .start_revision = revision + 1 },
                             on_change, b, &b->watch);
}

static void backend_v2_cancel(LockBackend *backend)
{
        BackendV2 *b = backend_v2_from(backend);

        b->call = etcd_cancel(b->call);
        b->watch = etcd_v2_watch_cancel(b->watch);
        swap_end(b);
}

static void backend_v2_free(LockBackend *backend)
{
        BackendV2 *b = backend_v2_from(backend);

        backend_v2_cancel(backend);
        free(b->ticket);
        free(b->key);
        free(b);
}

static const LockBackendOps backend_v2_ops = {
        .name = "etcd v2",
        .read = backend_v2_read,
        .swap = backend_v2_swap,
        .watch = backend_v2_watch,
        .cancel = backend_v2_cancel,
        .free = backend_v2_free,
        .sides = &sides_etcd_v2_ops,
};

int backend_etcd_v2_new(Etcd *etcd, const char *key, LockBackend **ret)
{
        BackendV2 *b = calloc(1, sizeof(BackendV2));

        if (!b)
                return -ENOMEM;
        b->key = strdup(key);
        if (!b->key) {
                free(b);
                return -ENOMEM;
        }

        b->backend.ops = &backend_v2_ops;
        b->etcd = etcd;
        *ret = &b->backend;
        return 0;
}
