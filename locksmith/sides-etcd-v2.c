#include <stdio.h>

#include "backend-etcd-v2-internal.h"
#include "side-call.h"

#define QUERY_MAX 96
#define QUORUM    "quorum=true"
#define NO_ANSWER "the answer is none of etcd's v2 API"

static int side_send(SideCall *s, const EtcdV2Message *message, EtcdOnReply on_reply)
{
        return backend_v2_send(backend_v2_from(s->backend), s->key, message, on_reply, s, &s->etcd);
}

static int side_get(SideCall *s, EtcdOnReply on_reply)
{
        return side_send(s, &(EtcdV2Message) { .method = "GET", .path = QUORUM }, on_reply);
}

/* Returns false when the answer is none: that was told then. */
static bool side_take(SideCall *s, const EtcdReply *reply, EtcdV2Answer *ret)
{
        s->etcd = NULL;
        if (reply->outcome != ETCD_DONE)
                side_call_fail(s, reply->why);
        else if (etcd_v2_answer_parse(reply->body, reply->size, s->key, ret) < 0)
                side_call_fail(s, NO_ANSWER);
        else
                return true;
        return false;
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
        _cleanup_(side_call_free_p) SideCall *s = NULL;
        size_t n = strlen(request->key);
        int r;

        r = side_call_new(backend, request->key, on_reply, userdata, &s);
        if (r < 0)
                return r;
        s->request = *request;
        if (request->prefix && n > 0 && s->key[n - 1] == '/')
                s->key[n - 1] = 0; /* a directory here */
        r = side_get(s, on_list);
        if (r < 0)
                return r;

        *ret = &TAKE_PTR(s)->call;
        return 0;
}

static int wait_send(SideCall *s);

/* Nobody knows what happened since: is the key still the one we know? */
static void on_read_again(const EtcdReply *reply, void *userdata)
{
        _cleanup_(etcd_v2_answer_done) EtcdV2Answer answer = {};
        SideCall *s = userdata;
        int r;

        if (!side_take(s, reply, &answer))
                return;
        if (answer.error != ETCD_V2_OK || answer.key.mod_revision != s->revision) {
                side_call_finish(s, &(LockSideReply) {});
                return;
        }
        r = wait_send(s);
        if (r < 0)
                side_call_fail(s, strerror(-r));
}

static void on_changed(const EtcdReply *reply, void *userdata)
{
        _cleanup_(etcd_v2_answer_done) EtcdV2Answer answer = {};
        SideCall *s = userdata;
        int r;

        if (reply->outcome == ETCD_DONE && reply->size == 0) {
                s->etcd = NULL;
                r = side_get(s, on_read_again);
        } else if (!side_take(s, reply, &answer))
                return;
        else if (answer.error == ETCD_V2_EVENT_INDEX_CLEARED && answer.index >= s->index) {
                s->index = answer.index + 1;
                r = side_get(s, on_read_again);
        } else if (answer.error != ETCD_V2_OK) {
                side_call_fail(s, answer.why);
                return;
        } else {
                side_call_finish(s, &(LockSideReply) {});
                return;
        }
        if (r < 0)
                side_call_fail(s, strerror(-r));
}

static int wait_send(SideCall *s)
{
        char query[QUERY_MAX];

        (void)snprintf(query, sizeof(query), "wait=true&waitIndex=%lld",
                       (long long)s->index); /* fits */
        return side_send(s, &(EtcdV2Message) { .method = "GET", .path = query, .wait = true },
                         on_changed);
}

static int side_wait(LockBackend *backend, const char *key, int64_t revision, LockOnSide on_reply,
                     void *userdata, LockCall **ret)
{
        _cleanup_(side_call_free_p) SideCall *s = NULL;
        int r;

        r = side_call_new(backend, key, on_reply, userdata, &s);
        if (r < 0)
                return r;
        s->revision = revision;
        s->index = revision + 1;
        r = wait_send(s);
        if (r < 0)
                return r;

        *ret = &TAKE_PTR(s)->call;
        return 0;
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
        _cleanup_(side_call_free_p) SideCall *s = NULL;
        int r;

        r = side_call_new(backend, key, on_reply, userdata, &s);
        if (r >= 0)
                r = side_send(s, &(EtcdV2Message) { .method = "DELETE", .path = "" }, on_removed);
        if (r < 0)
                return r;

        *ret = &TAKE_PTR(s)->call;
        return 0;
}

static void on_ticket(const EtcdReply *reply, void *userdata);

/* A ticket that is there is updated, which keeps its place; else a new one is made, at the end. */
static int ticket_put(SideCall *s, bool exists)
{
        _cleanup_free_ char *form = NULL;
        int r;

        s->revision = exists; /* which of the two is under way */
        r = etcd_v2_form_build(s->text, LOCK_TICKET_SECONDS, &form);
        if (r < 0)
                return r;
        return side_send(s,
                         &(EtcdV2Message) {
                                 .method = "PUT",
                                 .path = exists ? "prevExist=true" : "prevExist=false",
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
        if (answer.error == ETCD_V2_KEY_NOT_FOUND && s->revision)
                r = ticket_put(s, false);
        else if (answer.error != ETCD_V2_OK)
                side_call_fail(s, answer.why);
        else {
                r = text_set(&b->ticket, s->key);
                if (r >= 0)
                        side_call_finish(s,
                                         &(LockSideReply) { .place = answer.key.create_revision });
        }
        if (r < 0)
                side_call_fail(s, strerror(-r));
}

static int side_enter(LockBackend *backend, const LockSide *ticket, LockOnSide on_reply,
                      void *userdata, LockCall **ret)
{
        _cleanup_(side_call_free_p) SideCall *s = NULL;
        int r;

        r = side_call_new(backend, ticket->key, on_reply, userdata, &s);
        if (r >= 0)
                r = text_set(&s->text, ticket->value);
        if (r >= 0)
                r = ticket_put(s, true);
        if (r < 0)
                return r;

        *ret = &TAKE_PTR(s)->call;
        return 0;
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
        _cleanup_(side_call_free_p) SideCall *s = NULL;
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
                                      .method = "PUT", .path = "prevExist=true", .form = form },
                              on_beaten);
        if (r < 0)
                return r;

        *ret = &TAKE_PTR(s)->call;
        return 0;
}

static void side_leave(LockBackend *backend)
{
        BackendV2 *b = backend_v2_from(backend);
        _cleanup_free_ char *path = NULL;

        if (b->ticket && etcd_v2_path_build(b->ticket, "", &path) >= 0)
                etcd_v2_send(b->etcd, &(EtcdV2Message) { .method = "DELETE", .path = path });
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
