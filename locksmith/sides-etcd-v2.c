#include "backend-etcd-v2-internal.h"
#include "side-call.h"

static int side_send(SideCall *s, const EtcdV2Message *message, EtcdOnReply on_reply)
{
        return etcd_v2_call(backend_v2_from(s->backend)->etcd, message, on_reply, s, &s->etcd);
}

/* Returns false when the answer is none: that was told then. */
static bool side_take(SideCall *s, const EtcdReply *reply, EtcdV2Answer *ret)
{
        if (!side_call_answered(s, reply))
                return false;
        if (etcd_v2_answer_parse(reply->body, reply->size, s->key, ret) < 0) {
                side_call_fail(s, ETCD_V2_NO_ANSWER);
                return false;
        }
        return true;
}

static void on_list(const EtcdReply *reply, void *userdata)
{
        _cleanup_(etcd_v2_answer_done) EtcdV2Answer answer = {};
        SideCall *s = userdata;
        EtcdRange one;

        if (!side_take(s, reply, &answer))
                return;
        one = (EtcdRange) { .keys = &answer.key, .n_keys = 1 };
        if (answer.error == ETCD_V2_KEY_NOT_FOUND)
                side_call_finish(s, &(LockSideReply) { .keys = &(EtcdRange) {} });
        else if (answer.error != ETCD_V2_OK)
                side_call_fail(s, answer.why);
        else if (answer.directory != s->request.prefix)
                side_call_fail(s, answer.directory ? "the key is a directory"
                                                   : "the key is no directory");
        else {
                etcd_v2_range_select(&answer.keys, &s->request);
                side_call_finish(
                        s, &(LockSideReply) { .keys = s->request.prefix ? &answer.keys : &one });
        }
}

static int side_list(LockBackend *backend, const EtcdRangeRequest *request, LockOnSide on_reply,
                     void *userdata, LockCall **ret)
{
        SideCall *s = NULL;
        size_t n = strlen(request->key);
        int r;

        r = side_call_new(backend, request->key, on_reply, userdata, &s);
        if (r < 0)
                return r;
        s->request = *request;
        if (request->prefix && n > 0 && s->key[n - 1] == '/')
                s->key[n - 1] = 0; /* a directory here */
        r = side_send(s, &ETCD_V2_GET(s->key), on_list);
        return side_call_begun(s, r, ret);
}

static void on_changed(const EtcdV2Answer *answer, const char *why, void *userdata)
{
        SideCall *s = userdata;

        s->v2_watch = NULL;
        if (answer && (answer->error == ETCD_V2_OK || answer->error == ETCD_V2_KEY_NOT_FOUND))
                side_call_finish(s, &(LockSideReply) {});
        else
                side_call_fail(s, answer ? answer->why : why);
}

static int side_wait(LockBackend *backend, const char *key, int64_t revision, LockOnSide on_reply,
                     void *userdata, LockCall **ret)
{
        SideCall *s = NULL;
        int r;

        r = side_call_new(backend, NULL, on_reply, userdata, &s);
        if (r >= 0)
                r = etcd_v2_watch(
                        backend_v2_from(s->backend)->etcd,
                        &(EtcdWatchRequest) { .key = key, .start_revision = revision + 1 },
                        on_changed, s, &s->v2_watch);
        return side_call_begun(s, r, ret);
}

/* Of writes whose error means that there was nothing to do. */
static void on_removed(const EtcdReply *reply, void *userdata)
{
        _cleanup_(etcd_v2_answer_done) EtcdV2Answer answer = {};
        SideCall *s = userdata;

        if (!side_take(s, reply, &answer))
                return;
        if (answer.error != ETCD_V2_OK && answer.error != ETCD_V2_KEY_NOT_FOUND)
                side_call_fail(s, answer.why);
        else
                side_call_finish(s, &(LockSideReply) {});
}

static int side_remove(LockBackend *backend, const char *key, LockOnSide on_reply, void *userdata,
                       LockCall **ret)
{
        SideCall *s = NULL;
        int r;

        r = side_call_new(backend, key, on_reply, userdata, &s);
        if (r >= 0)
                r = side_send(s, &(EtcdV2Message) { .method = "DELETE", .key = s->key },
                              on_removed);
        return side_call_begun(s, r, ret);
}

static void on_ticket(const EtcdReply *reply, void *userdata);

/* A ticket that is there is updated, which keeps its place; else a new one is made, at the end. */
static int ticket_put(SideCall *s, bool exists)
{
        _cleanup_free_ char *form = NULL;
        int r;

        s->exists = exists;
        r = etcd_v2_form_build(s->text, LOCK_TICKET_SECONDS, &form);
        if (r < 0)
                return r;
        return side_send(s,
                         &(EtcdV2Message) {
                                 .method = "PUT",
                                 .key = s->key,
                                 .query = exists ? "prevExist=true" : "prevExist=false",
                                 .form = form,
                         },
                         on_ticket);
}

static void on_ticket(const EtcdReply *reply, void *userdata)
{
        _cleanup_(etcd_v2_answer_done) EtcdV2Answer answer = {};
        SideCall *s = userdata;
        BackendV2 *b = backend_v2_from(s->backend);
        int r = 0;

        if (!side_take(s, reply, &answer))
                return;
        if (answer.error == ETCD_V2_KEY_NOT_FOUND && s->exists)
                r = ticket_put(s, false);
        else if (answer.error != ETCD_V2_OK)
                side_call_fail(s, answer.why);
        else {
                r = text_set(&b->ticket, s->key);
                if (r >= 0)
                        side_call_finish(s,
                                         &(LockSideReply) { .place = answer.key.create_revision });
        }
        side_call_go_on(s, r);
}

static int side_enter(LockBackend *backend, const LockSide *ticket, LockOnSide on_reply,
                      void *userdata, LockCall **ret)
{
        SideCall *s = NULL;
        int r;

        r = side_call_new(backend, ticket->key, on_reply, userdata, &s);
        if (r >= 0)
                r = text_set(&s->text, ticket->value);
        if (r >= 0)
                r = ticket_put(s, true);
        return side_call_begun(s, r, ret);
}

static void on_beaten(const EtcdReply *reply, void *userdata)
{
        _cleanup_(etcd_v2_answer_done) EtcdV2Answer answer = {};
        SideCall *s = userdata;

        if (!side_take(s, reply, &answer))
                return;
        if (answer.error != ETCD_V2_OK && answer.error != ETCD_V2_KEY_NOT_FOUND)
                side_call_fail(s, answer.why);
        else
                side_call_finish(s, &(LockSideReply) { .gone = answer.error != ETCD_V2_OK });
}

/* Its time to live begins anew, and nobody who waits for it to go is woken up. */
static int side_beat(LockBackend *backend, LockOnSide on_reply, void *userdata, LockCall **ret)
{
        SideCall *s = NULL;
        _cleanup_free_ char *form = NULL;
        int r;

        if (!backend_v2_from(backend)->ticket)
                return -ENOENT;
        r = side_call_new(backend, backend_v2_from(backend)->ticket, on_reply, userdata, &s);
        if (r >= 0)
                r = etcd_v2_form_build(NULL, LOCK_TICKET_SECONDS, &form);
        if (r >= 0)
                r = side_send(s,
                              &(EtcdV2Message) {
                                      .method = "PUT",
                                      .key = s->key,
                                      .query = "prevExist=true",
                                      .form = form,
                              },
                              on_beaten);
        return side_call_begun(s, r, ret);
}

static void side_leave(LockBackend *backend)
{
        BackendV2 *b = backend_v2_from(backend);

        if (b->ticket)
                etcd_v2_send(b->etcd, &(EtcdV2Message) { .method = "DELETE", .key = b->ticket });
        free(b->ticket);
        b->ticket = NULL;
}

const LockSideOps sides_etcd_v2_ops = {
        .list = side_list,
        .wait = side_wait,
        .remove = side_remove,
        .enter = side_enter,
        .beat = side_beat,
        .leave = side_leave,
};
