#include "backend-etcd-internal.h"
#include "side-call.h"

#define RANGE_PATH "/v3/kv/range"
#define TXN_PATH   "/v3/kv/txn"

/* Returns false when the answer is none: that was told then. */
static bool side_read(SideCall *s, const EtcdReply *reply, EtcdRange *ret, int64_t *ret_now)
{
        if (!side_call_answered(s, reply))
                return false;
        if (etcd_range_parse(reply->body, reply->size, ret, ret_now) < 0) {
                side_call_fail(s, "the answer is none of etcd to a range request");
                return false;
        }
        return true;
}

static int side_range(SideCall *s, const EtcdRangeRequest *request, EtcdOnReply on_reply)
{
        char *body;
        int r;

        r = etcd_range_build(request, &body);
        if (r < 0)
                return r;
        return etcd_call(backend_etcd_from(s->backend)->etcd, RANGE_PATH, body, false, on_reply, s,
                         &s->etcd);
}

static void on_list(const EtcdReply *reply, void *userdata)
{
        _cleanup_(etcd_range_done) EtcdRange range = {};
        SideCall *s = userdata;
        int64_t now;

        if (side_read(s, reply, &range, &now))
                side_call_finish(s, &(LockSideReply) { .keys = &range, .now = now });
}

static int side_list(LockBackend *backend, const EtcdRangeRequest *request, LockOnSide on_reply,
                     void *userdata, LockCall **ret)
{
        SideCall *s = NULL;
        int r;

        r = side_call_new(backend, NULL, on_reply, userdata, &s);
        if (r >= 0)
                r = side_range(s, request, on_list);
        return side_call_begun(s, r, ret);
}

static void on_changed(const EtcdWatchLine *line, const char *why, void *userdata)
{
        SideCall *s = userdata;

        s->watch = NULL;
        if (line && line->changed)
                side_call_finish(s, &(LockSideReply) {});
        else
                side_call_fail(s, why);
}

static int side_wait(LockBackend *backend, const char *key, int64_t revision, LockOnSide on_reply,
                     void *userdata, LockCall **ret)
{
        SideCall *s = NULL;
        int r;

        r = side_call_new(backend, NULL, on_reply, userdata, &s);
        if (r >= 0)
                r = etcd_watch(backend_etcd_from(s->backend)->etcd,
                               &(EtcdWatchRequest) { .key = key, .start_revision = revision + 1 },
                               on_changed, s, &s->watch);
        return side_call_begun(s, r, ret);
}

static int side_write(SideCall *s, const EtcdWrite *write, EtcdOnReply on_reply)
{
        char *body;
        int r;

        r = etcd_txn_build(&(EtcdTxnRequest) { .writes = write, .n_writes = 1 }, &body);
        if (r < 0)
                return r;
        return etcd_call(backend_etcd_from(s->backend)->etcd, TXN_PATH, body, true, on_reply, s,
                         &s->etcd);
}

/* Returns false when it was not written, as far as is known: that was told then. */
static bool side_written(SideCall *s, const EtcdReply *reply, const EtcdWrite *write)
{
        _cleanup_(etcd_txn_done) EtcdTxn txn = {};
        EtcdTxnRequest request = { .writes = write, .n_writes = 1 };

        if (!side_call_answered(s, reply))
                return false;
        if (etcd_txn_parse(reply->body, reply->size, &request, &txn) < 0 || !txn.succeeded) {
                side_call_fail(s, "the answer is none of etcd to a transaction");
                return false;
        }
        return true;
}

static void on_removed(const EtcdReply *reply, void *userdata)
{
        SideCall *s = userdata;

        if (side_written(s, reply, &(EtcdWrite) { .key = s->key }))
                side_call_finish(s, &(LockSideReply) {});
}

static int side_remove(LockBackend *backend, const char *key, LockOnSide on_reply, void *userdata,
                       LockCall **ret)
{
        SideCall *s = NULL;
        int r;

        r = side_call_new(backend, key, on_reply, userdata, &s);
        if (r >= 0)
                r = side_write(s, &(EtcdWrite) { .key = s->key }, on_removed);
        return side_call_begun(s, r, ret);
}

static void on_place(const EtcdReply *reply, void *userdata)
{
        _cleanup_(etcd_range_done) EtcdRange range = {};
        SideCall *s = userdata;
        int64_t now;

        if (!side_read(s, reply, &range, &now))
                return;
        if (range.n_keys != 1 || !streq(range.keys[0].key, s->key)) {
                /* It ended in between: the next time with a new one. */
                backend_etcd_from(s->backend)->lease = 0;
                side_call_fail(s, "the ticket of this host is gone from the queue");
        } else
                side_call_finish(s, &(LockSideReply) { .place = range.keys[0].create_revision });
}

/* Putting it twice does no harm and keeps the place, also that of a ticket from before a restart. */
static EtcdWrite ticket_write(const SideCall *s)
{
        return (EtcdWrite) { s->key, s->text, backend_etcd_from(s->backend)->lease };
}

static void on_ticket(const EtcdReply *reply, void *userdata)
{
        SideCall *s = userdata;
        EtcdWrite write = ticket_write(s);
        int r;

        /* It may have failed because etcd does not know the lease any more. */
        if (reply->outcome == ETCD_FAILED)
                backend_etcd_from(s->backend)->lease = 0;
        if (!side_written(s, reply, &write))
                return;
        r = side_range(s, &(EtcdRangeRequest) { .key = s->key }, on_place);
        side_call_go_on(s, r);
}

static int side_put_ticket(SideCall *s)
{
        EtcdWrite write = ticket_write(s);

        return side_write(s, &write, on_ticket);
}

/* Reads the answer to a request for a lease. Returns false when it is none: that was told then. */
static bool side_leased(SideCall *s, const EtcdReply *reply, int64_t *ret)
{
        if (!side_call_answered(s, reply))
                return false;
        if (etcd_lease_parse(reply->body, reply->size, ret) < 0) {
                side_call_fail(s, "the answer is none of etcd to a request for a lease");
                return false;
        }
        return true;
}

static void on_granted(const EtcdReply *reply, void *userdata)
{
        SideCall *s = userdata;
        int r;

        if (!side_leased(s, reply, &backend_etcd_from(s->backend)->lease))
                return;
        r = side_put_ticket(s);
        side_call_go_on(s, r);
}

static int side_get_lease(SideCall *s, int64_t seconds, EtcdOnReply on_reply)
{
        char *body;
        int r;

        r = etcd_lease_grant_build(seconds, &body);
        if (r < 0)
                return r;
        return etcd_call(backend_etcd_from(s->backend)->etcd, "/v3/lease/grant", body, false,
                         on_reply, s, &s->etcd);
}

static void on_lease(const EtcdReply *reply, void *userdata)
{
        SideCall *s = userdata;
        int64_t lease;

        if (side_leased(s, reply, &lease))
                side_call_finish(s, &(LockSideReply) { .lease = lease });
}

static int side_lease(LockBackend *backend, int64_t seconds, LockOnSide on_reply, void *userdata,
                      LockCall **ret)
{
        SideCall *s = NULL;
        int r;

        r = side_call_new(backend, NULL, on_reply, userdata, &s);
        if (r >= 0)
                r = side_get_lease(s, seconds, on_lease);
        return side_call_begun(s, r, ret);
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
                r = backend_etcd_from(s->backend)->lease > 0
                            ? side_put_ticket(s)
                            : side_get_lease(s, LOCK_TICKET_SECONDS, on_granted);
        return side_call_begun(s, r, ret);
}

/* No answer is no reason to believe it gone: a lease does not end while there is no leader. */
static void on_beaten(const EtcdReply *reply, void *userdata)
{
        SideCall *s = userdata;
        int64_t seconds;

        if (!side_call_answered(s, reply))
                return;
        if (etcd_keepalive_parse(reply->body, reply->size, &seconds) < 0)
                side_call_fail(s, "the answer is none of etcd about a lease");
        else {
                if (seconds == 0)
                        backend_etcd_from(s->backend)->lease = 0;
                side_call_finish(s, &(LockSideReply) { .gone = seconds == 0 });
        }
}

static int side_beat(LockBackend *backend, LockOnSide on_reply, void *userdata, LockCall **ret)
{
        SideCall *s = NULL;
        char *body;
        int r;

        r = side_call_new(backend, NULL, on_reply, userdata, &s);
        if (r >= 0)
                r = etcd_lease_build(backend_etcd_from(s->backend)->lease, &body);
        if (r >= 0)
                r = etcd_call(backend_etcd_from(s->backend)->etcd, "/v3/lease/keepalive", body,
                              false, on_beaten, s, &s->etcd);
        return side_call_begun(s, r, ret);
}

static void side_leave(LockBackend *backend)
{
        BackendEtcd *b = backend_etcd_from(backend);
        char *body;

        if (b->lease > 0 && etcd_lease_build(b->lease, &body) >= 0)
                etcd_send(b->etcd, "/v3/lease/revoke", body);
        b->lease = 0;
}

const LockSideOps sides_etcd_ops = {
        .list = side_list,
        .wait = side_wait,
        .remove = side_remove,
        .lease = side_lease,
        .enter = side_enter,
        .beat = side_beat,
        .leave = side_leave,
};
