#include <inttypes.h>
#include <stdio.h>

#include "lock.h"
#include "record.h"

/* A lost race comes with the new document: so many times it is used at once, later after a pause
 * and a fresh look. */
#define TRIES_AT_ONCE 2

#define TIMER_ACCURACY (1 * USEC_PER_MSEC)

#define WHY_MAX 256

struct LockOperation {
        sd_event *event;
        LockBackend *backend;
        sd_event_source *timer; /* when to read again */
        LockKind kind;
        char *id, *record_key, *record, *ticket_key;
        LockSide sides[LOCK_SIDES_MAX]; /* their texts are ours */
        size_t n_sides;
        LockEdit edit;
        void *edit_userdata;
        int64_t max, old_max;
        bool persistent;
        LockOnResult on_wait, on_done;
        void *userdata;

        Semaphore semaphore; /* as read, then as edited */
        PolicyView view;     /* the same */
        LockAround around;   /* its revisions only: the texts are gone */
        bool known;          /* these are what a backend said */
        bool policy_changed;
        char why[POLICY_WHY_MAX]; /* what the policy says */
        int64_t revision;
        unsigned n_lost, n_unknown;
        bool swapping; /* a swap is under way */
        bool tried;    /* one was; libcurl itself sends again when a kept connection dies */
        bool unsure;   /* a swap of ours may be done without our having seen it */
        Backoff backoff, busy;
};

static void operation_read(LockOperation *o);
static void operation_edit(LockOperation *o);

LockOperation *lock_cancel(LockOperation *o)
{
        if (!o)
                return NULL;

        if (o->backend)
                lock_backend_cancel(o->backend);
        sd_event_source_disable_unref(o->timer);
        sd_event_unref(o->event);
        semaphore_done(&o->semaphore);
        policy_view_done(&o->view);
        for (size_t i = 0; i < o->n_sides; i++) {
                free((char *)o->sides[i].key);
                free((char *)o->sides[i].value);
        }
        free(o->id);
        free(o->record_key);
        free(o->record);
        free(o->ticket_key);
        free(o);
        return NULL;
}
DEFINE_CLEANUP(LockOperation *, lock_cancel);

static LockResult operation_result(const LockOperation *o, LockOutcome outcome, const char *why)
{
        return (LockResult) {
                .outcome = outcome,
                .semaphore = o->known ? &o->semaphore : NULL,
                .view = o->known ? &o->view : NULL,
                .old_max = o->old_max,
                .unsure = outcome == LOCK_FAILED && o->unsure,
                .why = why,
        };
}

static void operation_finish(LockOperation *o, LockOutcome outcome, const char *why)
{
        _cleanup_(lock_cancel_p) _unused_ LockOperation *owned = o;
        LockResult result = operation_result(o, outcome, why);

        lock_backend_cancel(o->backend);
        o->backend = NULL; /* from here on it may go */
        o->on_done(&result, o->userdata);
}

/* Reads again after a while. */
static void operation_read_later(LockOperation *o, usec_t delay)
{
        int r;

        r = sd_event_source_set_time_relative(o->timer, delay);
        if (r >= 0)
                r = sd_event_source_set_enabled(o->timer, SD_EVENT_ONESHOT);
        if (r < 0)
                operation_finish(o, LOCK_FAILED, strerror(-r));
}

static void operation_wait(LockOperation *o, LockOutcome outcome, const char *why)
{
        LockResult result = operation_result(o, outcome, why);

        if (o->on_wait)
                o->on_wait(&result, o->userdata);
}

/* It did not work: the end, or the next try of an operation that does not give up. */
static void operation_fail(LockOperation *o, LockOutcome outcome, const char *why)
{
        if (!o->persistent) {
                operation_finish(o, outcome, why);
                return;
        }

        o->n_lost = o->n_unknown = 0;
        operation_wait(o, outcome, why);
        operation_read_later(o, backoff_next(&o->backoff));
}

static void operation_take_document(LockOperation *o, const LockReply *reply)
{
        char why[WHY_MAX];
        const char *reason;
        int r;

        semaphore_done(&o->semaphore);
        policy_view_done(&o->view);
        o->known = o->policy_changed = false;
        o->revision = reply->revision;
        o->around = reply->around;
        o->around.others = NULL;
        if (!reply->text) {
                o->semaphore = SEMAPHORE_INITIAL;
                r = 0;
        } else
                r = semaphore_parse(reply->text, reply->size, &o->semaphore, &reason);
        if (r == -EBADMSG) {
                (void)snprintf(why, sizeof(why), "the key holds no semaphore: %s",
                               reason); /* cut is fine */
                operation_fail(o, LOCK_REFUSED, why);
                return;
        }
        if (r >= 0)
                r = policy_view_read(&reply->around, &o->view);
        if (r < 0) {
                operation_fail(o, LOCK_FAILED, strerror(-r));
                return;
        }

        o->known = true;
        operation_edit(o);
}

/* Somebody else was faster. */
static void operation_lose(LockOperation *o, const LockReply *reply)
{
        o->n_lost++;
        if (o->n_lost >= LOCK_TRIES_MAX)
                operation_fail(o, LOCK_FAILED, "too many others change the lock at the same time");
        else if (o->n_lost <= TRIES_AT_ONCE)
                operation_take_document(o, reply);
        else
                operation_read_later(o, jitter_below(MIN_OF(USEC_PER_MSEC << MIN_OF(o->n_lost, 16U),
                                                            LOCK_RACE_WAIT)));
}

/* Nobody tells when a slot gets free. */
static void operation_ask_later(LockOperation *o, const char *why)
{
        if (!o->persistent) {
                operation_finish(o, LOCK_BUSY, why);
                return;
        }
        operation_wait(o, LOCK_BUSY, why);
        operation_read_later(o, backoff_next(&o->busy));
}

static void on_reply(const LockReply *reply, void *userdata)
{
        LockOperation *o = userdata;
        bool swapped = o->swapping;

        o->swapping = false;
        (void)sd_event_source_set_enabled(
                o->timer, SD_EVENT_OFF); /* of a watch; can not fail for a live source */
        if (reply->answer != LOCK_ANSWER_FAILED)
                backoff_reset(&o->backoff);

        switch (reply->answer) {
        case LOCK_ANSWER_DOCUMENT:
                if (swapped)
                        operation_lose(o, reply);
                else
                        operation_take_document(o, reply);
                break;

        case LOCK_ANSWER_WRITTEN:
                operation_finish(o, LOCK_DONE, "");
                break;

        case LOCK_ANSWER_UNKNOWN:
                o->unsure = true;
                if (++o->n_unknown >= LOCK_UNKNOWNS_MAX)
                        operation_fail(o, LOCK_FAILED, reply->why);
                else
                        operation_read_later(o, jitter_below(LOCK_RACE_WAIT));
                break;

        case LOCK_ANSWER_FAILED:
                operation_fail(o, LOCK_FAILED, reply->why);
                break;

        case LOCK_ANSWER_BUSY:
                o->unsure = false;
                operation_ask_later(o, reply->why);
                break;
        }
}

/* There is no document: who keeps the lock decides, and tells no more than that. */
static int operation_demand(LockOperation *o)
{
        if (o->kind != LOCK_KIND_TAKE && o->kind != LOCK_KIND_RELEASE) {
                operation_finish(o, LOCK_REFUSED,
                                 "a FleetLock server tells nobody who holds its lock, nor lets its"
                                 " max be set: ask its own tools");
                return 0;
        }

        o->tried = true;
        return lock_backend_demand(
                o->backend, &(LockDemand) { .release = o->kind == LOCK_KIND_RELEASE, .id = o->id },
                on_reply, o);
}

static void operation_read(LockOperation *o)
{
        int r;

        r = o->backend->ops->demand ? operation_demand(o)
                                    : lock_backend_read(o->backend, on_reply, o);
        if (r < 0)
                operation_fail(o, LOCK_FAILED, strerror(-r));
}

static int on_timer(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        LockOperation *o = userdata;

        lock_backend_cancel(o->backend); /* a watch that has been silent for too long */
        operation_read(o);
        return 0;
}

static size_t operation_sides(const LockOperation *o, const char *record,
                              LockSide sides[static LOCK_SIDES_MAX])
{
        size_t n = 0;

        if (o->record_key)
                sides[n++] = (LockSide) { o->record_key, record, 0 };
        if (o->ticket_key)
                sides[n++] = (LockSide) { o->ticket_key, NULL, 0 };
        for (size_t i = 0; i < o->n_sides; i++)
                sides[n++] = o->sides[i];
        return n;
}

/* The texts to write. *ret_record is as it was given when it is no record. */
static int operation_texts(const LockOperation *o, char **ret_text, char **ret_policy,
                           char **ret_record)
{
        int r;

        r = semaphore_format(&o->semaphore, ret_text);
        if (r >= 0 && o->policy_changed)
                r = policy_format(&o->view.policy, ret_policy);
        if (r < 0 || !o->record)
                return r;

        r = o->kind == LOCK_KIND_TAKE ? record_touch(o->record, ret_record) : -EBADMSG;
        return r == -EBADMSG ? text_set(ret_record, o->record) : r;
}

static void operation_swap(LockOperation *o)
{
        _cleanup_free_ char *text = NULL, *policy = NULL, *record = NULL;
        bool takes = o->kind == LOCK_KIND_TAKE;
        LockSide sides[LOCK_SIDES_MAX];
        int r;

        r = operation_texts(o, &text, &policy, &record);
        if (r >= 0)
                r = lock_backend_swap(
                        o->backend,
                        &(LockSwap) {
                                .text = text,
                                .revision = o->revision,
                                .sides = sides,
                                .n_sides = operation_sides(o, record, sides),
                                .policy = policy,
                                .same = o->view.kept && (takes || policy) ? &o->around : NULL,
                                .alone = takes && o->view.limit > 0,
                        },
                        on_reply, o);
        if (r < 0)
                operation_fail(o, LOCK_FAILED, strerror(-r));
        else
                o->swapping = o->tried = true;
}

static void operation_be_busy(LockOperation *o)
{
        int r;

        /* No slot is free now, so the document is another one than that which a lost swap of ours
         * had named. */
        o->unsure = false;
        if (!*o->why)
                (void)snprintf(o->why, sizeof(o->why), "semaphore is at %" PRId64,
                               o->semaphore.free); /* fits */
        if (!o->persistent) {
                operation_finish(o, LOCK_BUSY, o->why);
                return;
        }

        o->n_lost = o->n_unknown = 0;
        operation_wait(o, LOCK_BUSY, o->why);
        r = lock_backend_watch(o->backend, o->revision, on_reply, o);
        if (r < 0)
                operation_fail(o, LOCK_FAILED, strerror(-r));
        else
                operation_read_later(o, LOCK_WATCH_MAX + jitter_below(LOCK_WATCH_MAX / 4));
}

static int operation_take(LockOperation *o)
{
        int r;

        if (semaphore_is_held_by(&o->semaphore, o->id))
                return 0; /* whatever the policy says */
        r = policy_may_take(&o->view, &o->semaphore, o->why);
        return r < 0 ? r : semaphore_take(&o->semaphore, o->id);
}

/* Returns as the functions of semaphore.h do. */
static int operation_apply(LockOperation *o)
{
        *o->why = 0;
        switch (o->kind) {
        case LOCK_KIND_READ:
        case LOCK_KIND_EDIT:
                return 0;
        case LOCK_KIND_TAKE:
                return operation_take(o);
        case LOCK_KIND_RELEASE:
                return semaphore_release(&o->semaphore, o->id);
        case LOCK_KIND_SET_MAX:
                if (!o->tried) /* else this may be what we wrote ourselves */
                        o->old_max = o->semaphore.max;
                return semaphore_set_max(&o->semaphore, o->max);
        }
        return -EINVAL;
}

/* The policy's part of it; changed is what operation_apply() has said. */
static int operation_apply_policy(LockOperation *o, int changed)
{
        bool of_holder = o->kind == LOCK_KIND_TAKE || o->kind == LOCK_KIND_RELEASE;
        int r;

        if (!o->view.kept && o->kind == LOCK_KIND_EDIT)
                return -EOPNOTSUPP;
        if (!o->view.kept || o->kind == LOCK_KIND_READ)
                return changed;
        if (of_holder && changed > 0 && !o->view.damaged)
                o->policy_changed = policy_end_excuse(&o->view.policy, o->id) > 0;
        if (!o->edit)
                return changed;

        r = o->edit(&o->semaphore, &o->view, o->revision, o->edit_userdata);
        o->policy_changed |= r > 0 && !o->view.damaged; /* what can not be read stays */
        return r == 0 ? changed : r;
}

static void operation_edit(LockOperation *o)
{
        int r = operation_apply(o);

        if (r >= 0)
                r = operation_apply_policy(o, r);
        if (r > 0)
                operation_swap(o);
        else if (r == 0)
                operation_finish(o, LOCK_DONE, "");
        else if (r == -EBUSY)
                operation_be_busy(o);
        else if (r == -ENOENT && o->kind == LOCK_KIND_RELEASE && o->tried)
                operation_finish(o, LOCK_DONE, ""); /* we held it when we began */
        else if (r == -ENOENT)
                operation_finish(o, LOCK_NOT_HOLDER, "holder does not exist");
        else if (r == -EOPNOTSUPP)
                operation_finish(o, LOCK_REFUSED,
                                 "only etcd v3 can keep more than the semaphore itself");
        else
                operation_fail(o, LOCK_FAILED, strerror(-r));
}

static int sides_copy(LockOperation *o, const LockRequest *request)
{
        size_t n_own = (request->record_key != NULL) + (request->ticket_key != NULL);

        assert(request->n_sides + n_own <= LOCK_SIDES_MAX);
        for (size_t i = 0; i < request->n_sides; i++) {
                const LockSide *side = &request->sides[i];
                LockSide *copy = &o->sides[o->n_sides++];

                copy->lease = side->lease;
                copy->key = strdup(side->key);
                copy->value = side->value ? strdup(side->value) : NULL;
                if (!copy->key || (side->value && !copy->value))
                        return -ENOMEM;
        }
        return 0;
}

static int text_copy(char **target, const char *text)
{
        *target = text ? strdup(text) : NULL;
        return text && !*target ? -ENOMEM : 0;
}

int lock_start(sd_event *event, LockBackend *backend, const LockRequest *request,
               LockOperation **ret)
{
        _cleanup_(lock_cancel_p) LockOperation *o = calloc(1, sizeof(LockOperation));
        int r;

        if (!o)
                return -ENOMEM;
        *o = (LockOperation) {
                .event = sd_event_ref(event),
                .backend = backend,
                .kind = request->kind,
                .max = request->max,
                .persistent = request->persistent,
                .edit = request->edit,
                .edit_userdata = request->edit_userdata,
                .on_wait = request->on_wait,
                .on_done = request->on_done,
                .userdata = request->userdata,
                .backoff = { .first = LOCK_RETRY_FIRST, .max = LOCK_RETRY_MAX },
                .busy = { .first = LOCK_BUSY_FIRST, .max = LOCK_BUSY_MAX },
        };

        r = text_copy(&o->id, request->id);
        if (r >= 0)
                r = text_copy(&o->record_key, request->record_key);
        if (r >= 0)
                r = text_copy(&o->record, request->record);
        if (r >= 0)
                r = text_copy(&o->ticket_key, request->ticket_key);
        if (r >= 0)
                r = sides_copy(o, request);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &o->timer, CLOCK_MONOTONIC, 0, TIMER_ACCURACY,
                                               on_timer, o);
        if (r < 0)
                return r;
        (void)sd_event_source_set_description(o->timer, "lock-timer"); /* for debugging only */

        *ret = TAKE_PTR(o);
        return 0;
}
