#include <stdio.h>

#include "claim.h"
#include "lock-key.h"

struct Claim {
        Session *session;
        char *id, *record, *record_key, *ticket_key, *queue_key;
        LockOnResult on_wait, on_done;
        void *userdata;

        LockCall *call;         /* ticket, or who is before it */
        LockCall *beat_call;    /* keeps the ticket alive */
        LockCall *watch;        /* of the ticket before ours */
        sd_event_source *timer; /* the next try after a failure, or the end of a watch that is
                                   silent too long */
        sd_event_source *beat;
        LockOperation *operation; /* taking the lock, when we are first */
        int64_t place;            /* create_revision of our ticket; 0: none yet */
        Backoff backoff;
};

static int claim_go_on(Claim *c);

/* NULL: this backend has no queue. */
static const LockSideOps *claim_sides(const Claim *c)
{
        return c->session->backend->ops->sides;
}

Claim *claim_cancel(Claim *c)
{
        if (!c)
                return NULL;

        if (claim_sides(c))
                claim_sides(c)->leave(c->session->backend);
        lock_cancel(c->operation);
        lock_call_cancel(c->call);
        lock_call_cancel(c->beat_call);
        lock_call_cancel(c->watch);
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

        c->watch = lock_call_cancel(c->watch);
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
        if (r < 0) /* without a timer there is no going on */
                (void)sd_event_exit(c->session->event, r);
}

/* From the event loop: what fails at once fails like what fails later. */
static void claim_step(Claim *c)
{
        int r = claim_go_on(c);

        if (r < 0)
                claim_fail(c, strerror(-r));
}

/* The ticket is gone: the end of the queue, then. */
static void claim_lose_place(Claim *c)
{
        c->place = 0;
        c->operation = lock_cancel(c->operation);
        c->call = lock_call_cancel(c->call);
        c->watch = lock_call_cancel(c->watch);
        claim_step(c);
}

static void on_beaten(const LockSideReply *reply, void *userdata)
{
        Claim *c = userdata;

        c->beat_call = NULL;
        if (!reply->why && reply->gone)
                claim_lose_place(c);
}

static int on_beat(sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Claim *c = userdata;
        int r;

        if (c->place > 0 && !c->beat_call) {
                r = claim_sides(c)->beat(c->session->backend, on_beaten, c, &c->beat_call);
                if (r < 0)
                        return r;
        }

        r = sd_event_source_set_time_relative(source, CLAIM_BEAT);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void on_entered(const LockSideReply *reply, void *userdata)
{
        Claim *c = userdata;

        c->call = NULL;
        if (reply->why)
                claim_fail(c, reply->why);
        else {
                c->place = reply->place;
                claim_step(c);
        }
}

static int claim_enter(Claim *c)
{
        return claim_sides(c)->enter(c->session->backend,
                                     &(LockSide) { c->ticket_key, c->record ? c->record : "{}" },
                                     on_entered, c, &c->call);
}

/* The ticket before ours went, or changed, or the watch ended: look again. */
static void on_before_changed(const LockSideReply *reply, void *userdata)
{
        Claim *c = userdata;

        c->watch = NULL;
        if (reply->why)
                claim_fail(c, reply->why);
        else
                claim_step(c);
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

/* Somebody is before us: waits until that is no longer so. */
static int claim_wait(Claim *c, const EtcdKey *before)
{
        int r;

        claim_tell(c, LOCK_BUSY, "others are before this host in the queue");
        r = claim_sides(c)->wait(c->session->backend, before->key, before->mod_revision,
                                 on_before_changed, c, &c->watch);
        return r < 0 ? r : claim_wake_in(c, LOCK_WATCH_MAX + jitter_below(LOCK_WATCH_MAX / 4));
}

static void on_before(const LockSideReply *reply, void *userdata)
{
        Claim *c = userdata;
        int r;

        c->call = NULL;
        if (reply->why || reply->keys->n_keys > 1) {
                claim_fail(c,
                           reply->why ? reply->why : "more tickets were told than were asked for");
                return;
        }

        backoff_reset(&c->backoff);
        r = reply->keys->n_keys == 0 ? claim_take(c) : claim_wait(c, &reply->keys->keys[0]);
        if (r < 0)
                claim_fail(c, strerror(-r));
}

/* Begins whatever is next. */
static int claim_go_on(Claim *c)
{
        if (c->operation || c->call || c->watch)
                return 0;
        if (!claim_sides(c))
                return claim_take(c);
        if (c->place == 0)
                return claim_enter(c);

        return claim_sides(c)->list(c->session->backend,
                                    &(EtcdRangeRequest) {
                                            .key = c->queue_key,
                                            .prefix = true,
                                            .youngest = true,
                                            .max_create_revision = c->place - 1,
                                    },
                                    on_before, c, &c->call);
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

static void on_left(_unused_ const LockSideReply *reply, void *userdata)
{
        *(bool *)userdata = true;
}

void claim_leave(Session *session, const char *group, const char *id, usec_t timeout)
{
        const LockSideOps *sides = session->backend->ops->sides;
        _cleanup_free_ char *key = NULL;
        LockCall *call = NULL;
        bool done = false;
        int r;

        if (!sides)
                return;
        r = lock_key_ticket(group, id, &key);
        if (r >= 0)
                r = sides->remove(session->backend, key, on_left, &done, &call);
        if (r >= 0)
                r = session_wait(session, &done, timeout);
        if (r < 0 && !done)
                lock_call_cancel(call);
}
