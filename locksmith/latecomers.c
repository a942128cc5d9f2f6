#include <stdio.h>

#include "base/log.h"
#include "latecomers.h"
#include "lock-key.h"

#define ROUNDS_MAX 10 /* each time the lock had changed between looking and writing */

struct Latecomers {
        Session *session;
        const Settings *settings;
        LockBackend *backend; /* of its own: the lock may be in use meanwhile */
        LockCall *call;
        LockOperation *operation;
        char *group, *own_id, *holders_key, *away_key, *keep_key;
        Peers holders;
        int64_t seen; /* the revision at which they were looked at */
        unsigned n_rounds;
        bool stale;       /* the lock has changed since then */
        const Peer *gone; /* whose slot is being freed; borrowed of holders */
        Deed deed;        /* and that it was */
        bool stopped;     /* the fleet has, as the policy says */
        LatecomersOnDone on_done;
        void *userdata;
};

static int round_begin(Latecomers *l);

Latecomers *latecomers_cancel(Latecomers *l)
{
        if (!l)
                return NULL;

        lock_call_cancel(l->call);
        lock_cancel(l->operation);
        lock_backend_free(l->backend);
        peers_done(&l->holders);
        deed_done(&l->deed);
        free(l->group);
        free(l->own_id);
        free(l->holders_key);
        free(l->away_key);
        free(l->keep_key);
        free(l);
        return NULL;
}
DEFINE_CLEANUP(Latecomers *, latecomers_cancel);

static void latecomers_finish(Latecomers *latecomers, const char *why)
{
        _cleanup_(latecomers_cancel_p) Latecomers *l = latecomers;

        l->on_done(why, l->stopped, l->userdata);
}

static void round_again(Latecomers *l)
{
        int r;

        if (++l->n_rounds >= ROUNDS_MAX) {
                latecomers_finish(l, "the lock changes too fast to see who is late");
                return;
        }
        r = round_begin(l);
        if (r < 0)
                latecomers_finish(l, strerror(-r));
}

static int freed_text(const Latecomers *l, char **ret)
{
        _cleanup_(record_done) Record host = {};
        char span[TIMESPAN_MAX], why[POLICY_WHY_MAX];
        int r;

        (void)snprintf(why, sizeof(why), "%.64s was not back within %s",
                       *l->gone->record.host ? l->gone->record.host : "it",
                       timespan_format((usec_t)l->gone->record.free_after * USEC_PER_SEC,
                                       span)); /* fits */
        r = record_of_host(l->settings->root, why, NULL, &host);
        return r < 0 ? r : record_format(&host, ret);
}

/* For locksmithctl log. */
static int freed_deed(Latecomers *l)
{
        _cleanup_(record_done) Record host = {};
        char id[ETCD_WHY_MAX];
        int r;

        deed_done(&l->deed);
        foreign_text(l->gone->id, strlen(l->gone->id), id, sizeof(id));
        r = record_of_host(l->settings->root, "", NULL, &host);
        if (r >= 0)
                r = text_format(&l->deed.who, "locksmithd on %s", *host.host ? host.host : "?");
        if (r >= 0)
                r = text_format(&l->deed.reason, "freed the slot of %.64s (%.64s), which is gone",
                                id, l->gone->record.host);
        l->deed.since = host.since;
        return r;
}

static void on_freed(const LockResult *result, void *userdata)
{
        Latecomers *l = userdata;
        char id[ETCD_WHY_MAX];

        l->operation = NULL;
        foreign_text(l->gone->id, strlen(l->gone->id), id, sizeof(id));
        if (result->outcome == LOCK_DONE)
                log_warning("freed the slot of %s (%s), which went down and has not come back", id,
                            l->gone->record.host);
        else if (result->outcome == LOCK_FAILED && !l->stale) {
                latecomers_finish(l, result->why);
                return;
        }
        round_again(l);
}

/* Who has come back meanwhile, has changed the lock with that. */
static int free_edit(_unused_ Semaphore *semaphore, PolicyView *view, int64_t revision,
                     void *userdata)
{
        Latecomers *l = userdata;

        l->stale = revision > l->seen;
        if (l->stale)
                return -ESTALE;
        return view->damaged ? 0 : policy_note(&view->policy, &l->deed);
}

static int gone_free(Latecomers *l)
{
        _cleanup_free_ char *record_key = NULL, *freed_key = NULL, *text = NULL;
        LockSide freed;
        int r;

        r = lock_key_holder(l->group, l->gone->id, &record_key);
        if (r >= 0)
                r = lock_key_freed(l->group, l->gone->id, &freed_key);
        if (r >= 0)
                r = freed_text(l, &text);
        if (r >= 0)
                r = freed_deed(l);
        if (r < 0)
                return r;

        freed = (LockSide) { .key = freed_key, .value = text };
        return lock_start(l->session->event, l->backend,
                          &(LockRequest) {
                                  .kind = LOCK_KIND_RELEASE,
                                  .id = l->gone->id,
                                  .record_key = record_key,
                                  .sides = &freed,
                                  .n_sides = 1,
                                  .edit = free_edit,
                                  .edit_userdata = l,
                                  .on_done = on_freed,
                                  .userdata = l,
                          },
                          &l->operation);
}

/* The policy knows now who is late. */
static void round_judge(Latecomers *l, const LockResult *result)
{
        char why[POLICY_WHY_MAX];
        int r = 0;

        l->gone = NULL;
        for (size_t i = 0; i < l->holders.n_peers && l->settings->free_gone > 0 && !l->gone; i++) {
                const Peer *peer = &l->holders.peers[i];

                if (!streq(peer->id, l->own_id) && peer_is_gone(peer)
                    && semaphore_is_held_by(result->semaphore, peer->id))
                        l->gone = peer;
        }
        if (l->gone) {
                r = gone_free(l);
                if (r < 0)
                        latecomers_finish(l, strerror(-r));
                return;
        }

        r = policy_is_stopped(result->view, why);
        l->stopped = r < 0;
        latecomers_finish(l, r < 0 ? why : NULL);
}

static void on_counted(const LockResult *result, void *userdata)
{
        Latecomers *l = userdata;

        l->operation = NULL;
        if (result->view && !result->view->kept)
                latecomers_finish(l, NULL); /* nobody can know who is late */
        else if (result->outcome != LOCK_DONE)
                latecomers_finish(l, result->why);
        else if (l->stale)
                round_again(l);
        else
                round_judge(l, result);
}

static int late_count(const Latecomers *l, const Peer *peer, Policy *policy)
{
        char span[TIMESPAN_MAX], why[POLICY_WHY_MAX];

        (void)snprintf(why, sizeof(why), "it went down and was not back within %s",
                       timespan_format((usec_t)peer->record.return_within * USEC_PER_SEC,
                                       span)); /* fits */
        return policy_count(policy,
                            &(Failure) {
                                    .id = peer->id,
                                    .host = peer->record.host,
                                    .why = why,
                                    .since = (int64_t)(now_realtime() / USEC_PER_SEC),
                            },
                            l->settings->failure_budget);
}

static int count_edit(Semaphore *semaphore, PolicyView *view, int64_t revision, void *userdata)
{
        Latecomers *l = userdata;
        int r, changed = 0;

        l->stale = revision > l->seen;
        if (l->stale || view->damaged)
                return 0;

        for (size_t i = 0; i < l->holders.n_peers; i++) {
                const Peer *peer = &l->holders.peers[i];

                if (streq(peer->id, l->own_id) || !peer_is_late(peer)
                    || !semaphore_is_held_by(semaphore, peer->id))
                        continue;
                r = late_count(l, peer, &view->policy);
                if (r < 0)
                        return r;
                changed |= r;
        }
        r = policy_count(&view->policy, NULL, l->settings->failure_budget);
        return r < 0 ? r : changed | r;
}

static int round_count(Latecomers *l)
{
        return lock_start(l->session->event, l->backend,
                          &(LockRequest) {
                                  .kind = LOCK_KIND_EDIT,
                                  .edit = count_edit,
                                  .edit_userdata = l,
                                  .on_done = on_counted,
                                  .userdata = l,
                          },
                          &l->operation);
}

/* Returns false when there is no answer: that was told then. */
static bool reply_take(Latecomers *l, const LockSideReply *reply)
{
        l->call = NULL;
        if (reply->why)
                latecomers_finish(l, reply->why);
        return !reply->why;
}

static int list(Latecomers *l, const char *prefix, LockOnSide on_reply)
{
        return l->backend->ops->sides->list(l->backend,
                                            &(EtcdRangeRequest) { .key = prefix, .prefix = true },
                                            on_reply, l, &l->call);
}

static void on_keep(const LockSideReply *reply, void *userdata)
{
        Latecomers *l = userdata;
        int r;

        if (!reply_take(l, reply))
                return;
        r = peers_mark_keep(&l->holders, l->keep_key, reply->keys);
        if (r >= 0)
                r = round_count(l);
        if (r < 0)
                latecomers_finish(l, strerror(-r));
}

static void on_away(const LockSideReply *reply, void *userdata)
{
        Latecomers *l = userdata;
        int r;

        if (!reply_take(l, reply))
                return;
        r = peers_mark_away(&l->holders, l->away_key, reply->keys);
        if (r >= 0)
                r = list(l, l->keep_key, on_keep);
        if (r < 0)
                latecomers_finish(l, strerror(-r));
}

static void on_holders(const LockSideReply *reply, void *userdata)
{
        Latecomers *l = userdata;
        int r;

        if (!reply_take(l, reply))
                return;
        l->seen = reply->now;
        peers_done(&l->holders);
        r = peers_from_range(l->holders_key, reply->keys, &l->holders);
        if (r >= 0)
                r = peers_any_departed(&l->holders) ? list(l, l->away_key, on_away)
                                                    : round_count(l);
        if (r < 0)
                latecomers_finish(l, strerror(-r));
}

static int round_begin(Latecomers *l)
{
        return list(l, l->holders_key, on_holders);
}

static int latecomers_set_up(Latecomers *l, const HolderName *of)
{
        int r;

        r = session_holder(l->session, l->settings, of, &l->group, &l->own_id, &l->backend);
        if (r >= 0)
                r = lock_key_holder(l->group, NULL, &l->holders_key);
        if (r >= 0)
                r = lock_key_away(l->group, NULL, &l->away_key);
        if (r >= 0)
                r = lock_key_keep(l->group, NULL, &l->keep_key);
        return r;
}

int latecomers_ask(const LatecomersRequest *request, Latecomers **ret)
{
        _cleanup_(latecomers_cancel_p) Latecomers *l = calloc(1, sizeof(Latecomers));
        int r;

        if (!l)
                return -ENOMEM;
        *l = (Latecomers) {
                .session = request->session,
                .settings = request->settings,
                .on_done = request->on_done,
                .userdata = request->userdata,
        };
        r = latecomers_set_up(l, request->of);
        if (r >= 0)
                r = round_begin(l);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(l);
        return 0;
}
