#include <sys/queue.h>

#include "api-choice.h"
#include "backend-etcd.h"
#include "lock-key.h"

#define RANGE_PATH     "/v3/kv/range"
#define HTTP_NOT_FOUND 404

/* What is looked at to find out, in this order. */
typedef enum Look {
        LOOK_V3_DOCUMENT,
        LOOK_V3_MOVED,
        LOOK_V2_DOCUMENT,
        LOOK_V2_MOVED,
        _LOOK_MAX,
} Look;

typedef enum AutoKind {
        AUTO_LIST,
        AUTO_REMOVE,
        AUTO_ENTER,
} AutoKind;

/* A call about keys, made before it is known where they are. */
typedef struct AutoCall {
        LockCall call;
        LockCall *inner; /* once it is known */
        AutoKind kind;
        EtcdRangeRequest request;
        char *key, *text;
        LockOnSide on_reply;
        void *userdata;
        LIST_ENTRY(AutoCall) entries;
} AutoCall;

typedef struct BackendAuto {
        LockBackend backend;
        Etcd *etcd;
        char *group;
        char *keys[2]; /* document, marker */
        LockBackend *chosen;
        EtcdCall *look_call;
        Look look;
        ApiView v3, v2;
        LIST_HEAD(, AutoCall) calls;
} BackendAuto;

static BackendAuto *from_backend(LockBackend *backend)
{
        return (BackendAuto *)backend; /* its first member */
}

static LockCall *auto_call_cancel(LockCall *call)
{
        AutoCall *a = (AutoCall *)call; /* its first member */

        lock_call_cancel(a->inner);
        LIST_REMOVE(a, entries);
        free(a->key);
        free(a->text);
        free(a);
        return NULL;
}

static void auto_call_finish(const LockSideReply *reply, void *userdata)
{
        AutoCall *a = userdata;
        LockOnSide on_reply = a->on_reply;
        void *theirs = a->userdata;

        a->inner = NULL;
        auto_call_cancel(&a->call);
        on_reply(reply, theirs);
}

static int auto_call_start(BackendAuto *b, AutoCall *a)
{
        const LockSideOps *sides = b->chosen->ops->sides;

        switch (a->kind) {
        case AUTO_LIST:
                return sides->list(b->chosen, &a->request, auto_call_finish, a, &a->inner);
        case AUTO_REMOVE:
                return sides->remove(b->chosen, a->key, auto_call_finish, a, &a->inner);
        case AUTO_ENTER:
                return sides->enter(b->chosen, &(LockSide) { a->key, a->text }, auto_call_finish, a,
                                    &a->inner);
        }
        return -EINVAL;
}

/* A callback may end any other call: the list is walked anew after each. */
static AutoCall *auto_call_waiting(const BackendAuto *b)
{
        AutoCall *a;

        LIST_FOREACH(a, &b->calls, entries)
        if (!a->inner)
                return a;
        return NULL;
}

static void views_done(BackendAuto *b)
{
        semaphore_done(&b->v3.semaphore);
        semaphore_done(&b->v2.semaphore);
        b->v3 = b->v2 = (ApiView) {};
}

/* It can not be told now: the next call tries again. */
static void look_fail(BackendAuto *b, const char *why)
{
        AutoCall *a;

        b->look = LOOK_V3_DOCUMENT;
        views_done(b);
        while ((a = auto_call_waiting(b)))
                auto_call_finish(&(LockSideReply) { .why = why }, a);
        if (b->backend.on_reply)
                lock_backend_reply_why(&b->backend, LOCK_ANSWER_FAILED, why);
}

static void on_chosen_reply(const LockReply *reply, void *userdata)
{
        BackendAuto *b = userdata;

        lock_backend_reply(&b->backend, reply);
}

static void look_done(BackendAuto *b)
{
        EtcdApi api = api_choose(&b->v3, &b->v2);
        AutoCall *a;
        int r;

        if ((int)api < 0) {
                look_fail(b, API_CHOICE_WHY);
                return;
        }
        r = api == ETCD_API_V2 ? backend_etcd_v2_new(b->etcd, b->keys[0], &b->chosen)
                               : backend_etcd_new(b->etcd, b->group, &b->chosen);
        if (r < 0) {
                look_fail(b, strerror(-r));
                return;
        }

        etcd_set_api(b->etcd, api);
        views_done(b);
        while ((a = auto_call_waiting(b))) {
                r = auto_call_start(b, a);
                if (r < 0)
                        auto_call_finish(&(LockSideReply) { .why = strerror(-r) }, a);
        }
        if (b->backend.on_reply && !b->chosen->on_reply)
                lock_backend_go_on(&b->backend, lock_backend_read(b->chosen, on_chosen_reply, b));
}

static int look_next(BackendAuto *b);

/* What is there, or NULL. Returns -EBADMSG for an answer that is none. */
static int look_read(const BackendAuto *b, const EtcdReply *reply, EtcdRange *ret)
{
        _cleanup_(etcd_v2_answer_done) EtcdV2Answer answer = {};
        const char *key = b->keys[b->look % 2];
        int64_t revision;
        int r;

        if (b->look < LOOK_V2_DOCUMENT)
                return etcd_range_parse(reply->body, reply->size, ret, &revision);

        r = etcd_v2_answer_parse(reply->body, reply->size, key, &answer);
        if (r < 0 || answer.error == ETCD_V2_KEY_NOT_FOUND)
                return r;
        if (answer.error != ETCD_V2_OK || answer.directory)
                return -EBADMSG;
        return etcd_range_copy(&(EtcdRange) { .keys = &answer.key, .n_keys = 1 }, ret);
}

static int look_take(BackendAuto *b, const EtcdReply *reply)
{
        ApiView *view = b->look < LOOK_V2_DOCUMENT ? &b->v3 : &b->v2;
        _cleanup_(etcd_range_done) EtcdRange range = {};
        const char *why;
        int r;

        r = look_read(b, reply, &range);
        if (r < 0)
                return r;

        view->served = true;
        if (b->look == LOOK_V3_MOVED || b->look == LOOK_V2_MOVED) {
                view->moved = range.n_keys > 0;
                return 0;
        }
        view->exists = range.n_keys > 0;
        return view->exists ? semaphore_parse(range.keys[0].value, range.keys[0].value_size,
                                              &view->semaphore, &why)
                            : 0;
}

static void on_look(const EtcdReply *reply, void *userdata)
{
        BackendAuto *b = userdata;
        int r = 0;

        b->look_call = NULL;
        if (reply->outcome == ETCD_DONE) {
                r = look_take(b, reply);
                b->look++;
        } else if (reply->status == HTTP_NOT_FOUND) /* this API is not served */
                b->look = b->look < LOOK_V2_DOCUMENT ? LOOK_V2_DOCUMENT : _LOOK_MAX;
        else {
                look_fail(b, reply->why);
                return;
        }

        if (r >= 0 && b->look == _LOOK_MAX && !b->v3.served && !b->v2.served) {
                look_fail(b, "no etcd answers there, neither v3 nor v2");
                return;
        }
        if (r >= 0 && b->look == _LOOK_MAX) {
                look_done(b);
                return;
        }
        if (r >= 0)
                r = look_next(b);
        if (r == -EBADMSG)
                look_fail(b, "the key holds no semaphore, or the answer is none of etcd: look at"
                             " the lock with ETCD_API=v3 and ETCD_API=v2");
        else if (r < 0)
                look_fail(b, strerror(-r));
}

static int look_next(BackendAuto *b)
{
        const char *key = b->keys[b->look % 2];
        char *body;
        int r;

        if (b->look < LOOK_V2_DOCUMENT) {
                r = etcd_range_build(&(EtcdRangeRequest) { .key = key }, &body);
                return r < 0 ? r
                             : etcd_call(b->etcd, RANGE_PATH, body, false, on_look, b,
                                         &b->look_call);
        }

        return etcd_v2_call(b->etcd, &ETCD_V2_GET(key), on_look, b, &b->look_call);
}

static int auto_look(BackendAuto *b)
{
        return b->look_call ? 0 : look_next(b);
}

static int auto_read(LockBackend *backend)
{
        BackendAuto *b = from_backend(backend);

        return b->chosen ? lock_backend_read(b->chosen, on_chosen_reply, b) : auto_look(b);
}

/* Nobody swaps or watches what was not read. */
static int auto_swap(LockBackend *backend, const LockSwap *swap)
{
        BackendAuto *b = from_backend(backend);

        assert(b->chosen);
        return lock_backend_swap(b->chosen, swap, on_chosen_reply, b);
}

static int auto_watch(LockBackend *backend, int64_t revision)
{
        BackendAuto *b = from_backend(backend);

        assert(b->chosen);
        return lock_backend_watch(b->chosen, revision, on_chosen_reply, b);
}

static void auto_cancel(LockBackend *backend)
{
        BackendAuto *b = from_backend(backend);

        if (b->chosen)
                lock_backend_cancel(b->chosen);
}

static void auto_free(LockBackend *backend)
{
        BackendAuto *b = from_backend(backend);

        while (!LIST_EMPTY(&b->calls))
                auto_call_cancel(&LIST_FIRST(&b->calls)->call);
        etcd_cancel(b->look_call);
        lock_backend_free(b->chosen);
        views_done(b);
        for (size_t i = 0; i < ELEMENTSOF(b->keys); i++)
                free(b->keys[i]);
        free(b->group);
        free(b);
}

static int auto_call(BackendAuto *b, const AutoCall *template, LockCall **ret)
{
        AutoCall *a = calloc(1, sizeof(AutoCall));
        const char *key = template->kind == AUTO_LIST ? template->request.key : template->key;
        int r;

        if (!a)
                return -ENOMEM;
        *a = *template;
        a->call.cancel = auto_call_cancel;
        a->key = a->text = NULL;
        LIST_INSERT_HEAD(&b->calls, a, entries);
        r = text_set(&a->key, key);
        if (r >= 0)
                r = text_set(&a->text, template->text);
        a->request.key = a->key;
        if (r >= 0)
                r = b->chosen ? auto_call_start(b, a) : auto_look(b);
        if (r < 0) {
                auto_call_cancel(&a->call);
                return r;
        }

        *ret = &a->call;
        return 0;
}

static int auto_list(LockBackend *backend, const EtcdRangeRequest *request, LockOnSide on_reply,
                     void *userdata, LockCall **ret)
{
        return auto_call(from_backend(backend),
                         &(AutoCall) { .kind = AUTO_LIST,
                                       .request = *request,
                                       .on_reply = on_reply,
                                       .userdata = userdata },
                         ret);
}

static int auto_remove(LockBackend *backend, const char *key, LockOnSide on_reply, void *userdata,
                       LockCall **ret)
{
        return auto_call(from_backend(backend),
                         &(AutoCall) { .kind = AUTO_REMOVE,
                                       .key = (char *)key, /* copied */
                                       .on_reply = on_reply,
                                       .userdata = userdata },
                         ret);
}

static int auto_enter(LockBackend *backend, const LockSide *ticket, LockOnSide on_reply,
                      void *userdata, LockCall **ret)
{
        return auto_call(from_backend(backend),
                         &(AutoCall) { .kind = AUTO_ENTER,
                                       .key = (char *)ticket->key, /* copied, as the next */
                                       .text = (char *)ticket->value,
                                       .on_reply = on_reply,
                                       .userdata = userdata },
                         ret);
}

/* Whoever waits or beats has entered before. */
static int auto_wait(LockBackend *backend, const char *key, int64_t revision, LockOnSide on_reply,
                     void *userdata, LockCall **ret)
{
        BackendAuto *b = from_backend(backend);

        assert(b->chosen);
        return b->chosen->ops->sides->wait(b->chosen, key, revision, on_reply, userdata, ret);
}

static int auto_beat(LockBackend *backend, LockOnSide on_reply, void *userdata, LockCall **ret)
{
        BackendAuto *b = from_backend(backend);

        assert(b->chosen);
        return b->chosen->ops->sides->beat(b->chosen, on_reply, userdata, ret);
}

static void auto_leave(LockBackend *backend)
{
        BackendAuto *b = from_backend(backend);

        if (b->chosen)
                b->chosen->ops->sides->leave(b->chosen);
}

/* Whoever wants one has looked at something before. */
static int auto_lease(LockBackend *backend, int64_t seconds, LockOnSide on_reply, void *userdata,
                      LockCall **ret)
{
        BackendAuto *b = from_backend(backend);

        assert(b->chosen);
        if (!b->chosen->ops->sides->lease)
                return -EOPNOTSUPP;
        return b->chosen->ops->sides->lease(b->chosen, seconds, on_reply, userdata, ret);
}

static int auto_clone(const LockBackend *backend, LockBackend **ret)
{
        const BackendAuto *b = (const BackendAuto *)backend; /* its first member */

        return backend_auto_new(b->etcd, b->group, ret);
}

static const LockSideOps auto_side_ops = {
        .list = auto_list,
        .wait = auto_wait,
        .remove = auto_remove,
        .lease = auto_lease,
        .enter = auto_enter,
        .beat = auto_beat,
        .leave = auto_leave,
};

static const LockBackendOps auto_ops = {
        .name = "etcd, v3 or v2",
        .read = auto_read,
        .swap = auto_swap,
        .watch = auto_watch,
        .cancel = auto_cancel,
        .free = auto_free,
        .clone = auto_clone,
        .sides = &auto_side_ops,
};

int backend_auto_new(Etcd *etcd, const char *group, LockBackend **ret)
{
        BackendAuto *b = calloc(1, sizeof(BackendAuto));
        int r;

        if (!b)
                return -ENOMEM;
        b->backend.ops = &auto_ops;
        b->etcd = etcd;
        LIST_INIT(&b->calls);
        r = text_set(&b->group, group);
        if (r >= 0)
                r = lock_key_semaphore(group, &b->keys[0]);
        if (r >= 0)
                r = lock_key_moved(group, &b->keys[1]);
        if (r < 0) {
                auto_free(&b->backend);
                return r;
        }

        *ret = &b->backend;
        return 0;
}
