#include <stdio.h>

#include "claim.h"
#include "lock-key.h"

struct Claim {
        Session *session;
        char *id, *record, *record_key, *ticket_key, *queue_key;
        LockOnResult on_wait, on_done;
        void *userdata;

        EtcdCall *call;         /* lease, ticket or predecessor */
        EtcdCall *beat_call;    /* keeps the lease alive */
        EtcdWatch *watch;       /* of the ticket before ours */
        sd_event_source *timer; /* the next try after a failure, or the end of a watch that is
                                   silent too long */
        sd_event_source *beat;
        LockOperation *operation; /* taking the lock, when we are first */
        int64_t lease;            /* 0: none yet */
        int64_t place;            /* create_revision of our ticket; 0: none yet */
        bool has_ticket;          /* it was put; place is still to be read */
        Backoff backoff;
};

static int claim_go_on(Claim *c);

Claim *claim_cancel(Claim *c)
{
        char *body;

        if (!c)
                return NULL;

        if (c->lease > 0 && etcd_lease_build(c->lease, &body) >= 0)
                etcd_send(c->session->etcd, "/v3/lease/revoke", body);
        lock_cancel(c->operation);
        etcd_cancel(c->call);
        etcd_cancel(c->beat_call);
        etcd_watch_cancel(c->watch);
        sd_event_source_disable_unref(c->timer);
        sd_event_source_disable_unref(c->beat);
        free(c->id);
        free(c->record);
        free(c->record_key);
        free(c->ticket_key);
        free(c->queue_key);
        free(c);
        return NULL;
}
DEFINE_CLEANUP(Claim *, claim_cancel);

static int on_timer(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Claim *c = userdata;

        c->watch = etcd_watch_cancel(c->watch);
        return claim_go_on(c);
}

static int claim_wake_in(Claim *c, usec_t delay)
{
        int r;

        r = sd_event_source_set_time_relative(c->timer, delay);
        return r < 0 ? r : sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

static void claim_tell(Claim *c, LockOutcome outcome, const char *why)
{
        if (c->on_wait)
                c->on_wait(&(LockResult) { .outcome = outcome, .why = why }, c->userdata);
}

/* It did not work: tells, and goes on from where it was after a while. */
static void claim_fail(Claim *c, const char *why)
{
        int r;

        claim_tell(c, LOCK_FAILED, why);
        r = claim_wake_in(c, backoff_next(&c->backoff));
        if (r < 0)
                (void)sd_event_exit(c->session->event,
                                    r); /* without a timer there is no going on */
}

/* From the event loop: what fails at once fails like what fails later. */
static void claim_step(Claim *c)
{
        int r = claim_go_on(c);

        if (r < 0)
                claim_fail(c, strerror(-r));
}

/* The lease is gone, and the ticket with it: the end of the queue, then. */
static void claim_lose_place(Claim *c)
{
        c->lease = c->place = 0;
        c->has_ticket = false;
        c->operation = lock_cancel(c->operation);
        c->call = etcd_cancel(c->call);
        c->watch = etcd_watch_cancel(c->watch);
        claim_step(c);
}

static void on_beaten(const EtcdReply *reply, void *userdata)
{
        Claim *c = userdata;
        int64_t seconds;

        c->beat_call = NULL;
        if (reply->outcome == ETCD_DONE
            && etcd_keepalive_parse(reply->body, reply->size, &seconds) == 0 && seconds == 0)
                claim_lose_place(c); /* no answer is no reason: a lease does not end while there is
                                        no leader */
}

static int on_beat(sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Claim *c = userdata;
        char *body;
        int r;

        if (c->lease > 0 && !c->beat_call) {
                r = etcd_lease_build(c->lease, &body);
                if (r >= 0)
                        r = etcd_call(c->session->etcd, "/v3/lease/keepalive", body, false,
                                      on_beaten, c, &c->beat_call);
                if (r < 0)
                        return r;
        }

        r = sd_event_source_set_time_relative(source, CLAIM_BEAT);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void on_granted(const EtcdReply *reply, void *userdata)
{
        Claim *c = userdata;

        c->call = NULL;
        if (reply->outcome != ETCD_DONE)
                claim_fail(c, reply->why);
        else if (etcd_lease_parse(reply->body, reply->size, &c->lease) < 0)
                claim_fail(c, "the answer is none of etcd to a request for a lease");
        else
                claim_step(c);
}

static int claim_get_lease(Claim *c)
{
        char *body;
        int r;

        r = etcd_lease_grant_build(CLAIM_LEASE_SECONDS, &body);
        if (r < 0)
                return r;
        return etcd_call(c->session->etcd, "/v3/lease/grant", body, false, on_granted, c, &c->call);
}

/* Putting it twice does no harm and keeps the place, also that of a ticket from before a restart.
 */
static EtcdTxnRequest ticket_request(const Claim *c, EtcdWrite *write)
{
        *write = (EtcdWrite) { c->ticket_key, c->record ? c->record : "{}", c->lease };
        return (EtcdTxnRequest) { .writes = write, .n_writes = 1 };
}

static void on_ticket(const EtcdReply *reply, void *userdata)
{
        _cleanup_(etcd_txn_done) EtcdTxn txn = {};
        Claim *c = userdata;
        EtcdWrite write;
        EtcdTxnRequest request = ticket_request(c, &write);

        c->call = NULL;
        if (reply->outcome != ETCD_DONE)
                claim_fail(c, reply->why);
        else if (etcd_txn_parse(reply->body, reply->size, &request, &txn) < 0 || !txn.succeeded)
                claim_fail(c, "the answer is none of etcd to a transaction");
        else {
                c->has_ticket = true;
                claim_step(c);
        }
}

static int claim_put_ticket(Claim *c)
{
        EtcdWrite write;
        EtcdTxnRequest request = ticket_request(c, &write);
        char *body;
        int r;

        r = etcd_txn_build(&request, &body);
        if (r < 0)
                return r;
        return etcd_call(c->session->etcd, "/v3/kv/txn", body, true, on_ticket, c, &c->call);
}

/* Reads the answer to a range request for at most one key. Returns false when it is none: that was
 * told then. */
static bool claim_read_one(Claim *c, const EtcdReply *reply, EtcdRange *ret)
{
        int64_t revision;

        c->call = NULL;
        if (reply->outcome != ETCD_DONE)
                claim_fail(c, reply->why);
        else if (etcd_range_parse(reply->body, reply->size, ret, &revision) < 0 || ret->n_keys > 1)
                claim_fail(c, "the answer is none of etcd to a range request");
        else
                return true;
        return false;
}

static void on_place(const EtcdReply *reply, void *userdata)
{
        _cleanup_(etcd_range_done) EtcdRange range = {};
        Claim *c = userdata;

        if (!claim_read_one(c, reply, &range))
                return;

        c->has_ticket = range.n_keys == 1 && streq(range.keys[0].key, c->ticket_key);
        c->place = c->has_ticket ? range.keys[0].create_revision : 0;
        claim_step(c);
}

static int claim_range(Claim *c, const EtcdRangeRequest *request, EtcdOnReply on_reply)
{
        char *body;
        int r;

        r = etcd_range_build(request, &body);
        if (r < 0)
                return r;
        return etcd_call(c->session->etcd, "/v3/kv/range", body, false, on_reply, c, &c->call);
}

/* The ticket before ours went, or changed, or the watch ended: look again. */
static void on_before_changed(const EtcdWatchLine *line, const char *why, void *userdata)
{
        Claim *c = userdata;

        c->watch = NULL;
        if (line && line->changed)
                claim_step(c);
        else
                claim_fail(c, why);
}

static void on_taken(const LockResult *result, void *userdata)
{
        _cleanup_(claim_cancel_p) Claim *c = userdata;

        c->operation = NULL;
        c->on_done(result, c->userdata);
}

static void on_busy(const LockResult *result, void *userdata)
{
        Claim *c = userdata;

        if (c->on_wait)
                c->on_wait(result, c->userdata);
}

/* We are first: what is left to wait for is a free slot. */
static int claim_take(Claim *c)
{
        return lock_start(c->session->event, c->session->backend,
                          &(LockRequest) {
                                  .kind = LOCK_KIND_TAKE,
                                  .id = c->id,
                                  .record_key = c->record ? c->record_key : NULL,
                                  .record = c->record,
                                  .ticket_key = c->ticket_key,
                                  .persistent = true,
                                  .on_wait = on_busy,
                                  .on_done = on_taken,
                                  .userdata = c,
                          },
                          &c->operation);
}

static void on_before(const EtcdReply *reply, void *userdata)
{
        _cleanup_(etcd_range_done) EtcdRange range = {};
        Claim *c = userdata;
        int r;

        if (!claim_read_one(c, reply, &range))
                return;

        backoff_reset(&c->backoff);
        if (range.n_keys == 0)
                r = claim_take(c);
        else {
                claim_tell(c, LOCK_BUSY, "others are before this host in the queue");
                r = etcd_watch(c->session->etcd, range.keys[0].key, range.keys[0].mod_revision + 1,
                               on_before_changed, c, &c->watch);
                if (r >= 0)
                        r = claim_wake_in(c, LOCK_WATCH_MAX + jitter_below(LOCK_WATCH_MAX / 4));
        }
        if (r < 0)
                claim_fail(c, strerror(-r));
}

/* Begins whatever is next. */
static int claim_go_on(Claim *c)
{
        if (c->operation || c->call || c->watch)
                return 0;
        if (c->lease == 0)
                return claim_get_lease(c);
        if (!c->has_ticket)
                return claim_put_ticket(c);
        if (c->place == 0)
                return claim_range(c, &(EtcdRangeRequest) { .key = c->ticket_key }, on_place);

        return claim_range(c,
                           &(EtcdRangeRequest) {
                                   .key = c->queue_key,
                                   .prefix = true,
                                   .youngest = true,
                                   .max_create_revision = c->place - 1,
                           },
                           on_before);
}

static int claim_set_up(Claim *c, const ClaimRequest *request)
{
        sd_event *event = c->session->event;
        int r;

        r = text_set(&c->id, request->id);
        if (r >= 0)
                r = text_set(&c->record, request->record);
        if (r >= 0)
                r = lock_key_holder(request->group, request->id, &c->record_key);
        if (r >= 0)
                r = lock_key_ticket(request->group, request->id, &c->ticket_key);
        if (r >= 0)
                r = lock_key_ticket(request->group, NULL, &c->queue_key);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &c->timer, CLOCK_MONOTONIC, 0, 0, on_timer,
                                               c);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &c->beat, CLOCK_MONOTONIC, CLAIM_BEAT, 0,
                                               on_beat, c);
        return r;
}

int claim_start(Session *session, const ClaimRequest *request, Claim **ret)
{
        _cleanup_(claim_cancel_p) Claim *c = calloc(1, sizeof(Claim));
        int r;

        if (!c)
                return -ENOMEM;
        *c = (Claim) {
                .session = session,
                .on_wait = request->on_wait,
                .on_done = request->on_done,
                .userdata = request->userdata,
                .backoff = { .first = LOCK_RETRY_FIRST, .max = LOCK_RETRY_MAX },
        };

        r = claim_set_up(c, request);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(c);
        return 0;
}

static void on_left(_unused_ const EtcdReply *reply, void *userdata)
{
        *(bool *)userdata = true;
}

void claim_leave(Session *session, const char *group, const char *id, usec_t timeout)
{
        _cleanup_free_ char *key = NULL;
        EtcdWrite write = {};
        EtcdCall *call = NULL;
        bool done = false;
        char *body;
        int r;

        r = lock_key_ticket(group, id, &key);
        write.key = key;
        if (r >= 0)
                r = etcd_txn_build(&(EtcdTxnRequest) { .writes = &write, .n_writes = 1 }, &body);
        if (r >= 0)
                r = etcd_call(session->etcd, "/v3/kv/txn", body, true, on_left, &done, &call);
        if (r >= 0)
                r = session_wait(session, &done, timeout);
        if (r < 0)
                etcd_cancel(call);
}
