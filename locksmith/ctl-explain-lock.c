#include <inttypes.h>
#include <stdio.h>

#include "ctl-explain.h"
#include "lock-key.h"
#include "pause.h"

static void pause_explain(Gates *gates, Ctl *ctl, const Semaphore *semaphore)
{
        _cleanup_(pause_done) Pause pause = {};
        _cleanup_free_ char *key = NULL, *text = NULL, *why = NULL;
        Gate *gate;
        int r;

        if (semaphore->max > 0) {
                gate_add(gates, "pause", VERDICT_OPEN, "none: max is %" PRId64, semaphore->max);
                return;
        }

        r = lock_key_pause(ctl->settings.group, &key);
        if (r >= 0)
                r = peers_read_text(&ctl->session, key, &text, &why);
        if (r >= 0)
                r = pause_parse(text, strlen(text), &pause);
        if (r >= 0)
                gate = gate_add(gates, "pause", VERDICT_CLOSED, "paused on %s: %s",
                                *pause.host ? pause.host : "?",
                                *pause.reason ? pause.reason : "no reason given");
        else
                gate = gate_add(gates, "pause", VERDICT_CLOSED,
                                "max is %" PRId64 ": nobody gets the lock", semaphore->max);
        gate->until = r >= 0 ? "with locksmithctl resume" : "with locksmithctl set-max";
}

/* The next look of any host counts who is late: say it before. */
static const Peer *late_find(const CtlView *view, const char *id, size_t *ret_n)
{
        const Peer *first = NULL;

        *ret_n = 0;
        for (size_t i = 0; i < view->holders.n_peers; i++) {
                const Peer *peer = &view->holders.peers[i];

                if (streq(peer->id, id) || !peer_is_late(peer)
                    || !semaphore_is_held_by(&view->semaphore, peer->id)
                    || policy_has_failed(&view->policy.policy, peer->id))
                        continue;
                *ret_n += 1;
                first = first ? first : peer;
        }
        return first;
}

static void fleet_explain(Gates *gates, const Ctl *ctl, const CtlView *view, const char *id)
{
        size_t n_failed = policy_n_failures(&view->policy.policy), n_late;
        const Peer *late = late_find(view, id, &n_late);
        uint64_t budget = ctl->settings.failure_budget;
        char why[POLICY_WHY_MAX], shown[ETCD_WHY_MAX];

        if (policy_is_stopped(&view->policy, why) < 0)
                gate_add(gates, "fleet", VERDICT_CLOSED, "%s", why)->until =
                        "with locksmithctl resume";
        else if (late) {
                foreign_text(late->id, strlen(late->id), shown, sizeof(shown));
                gate_add(gates, "fleet",
                         budget > 0 && n_failed + n_late >= budget ? VERDICT_CLOSED : VERDICT_OPEN,
                         "%.64s (%.64s) went down and has not come back: that counts as a failure",
                         shown, *late->record.host ? late->record.host : "?");
        } else if (n_failed > 0)
                gate_add(gates, "fleet", VERDICT_OPEN,
                         "%zu hosts have failed of %" PRIu64 " that may", n_failed, budget);
        else
                gate_add(gates, "fleet", VERDICT_OPEN, "no host that went down is overdue");
}

static void limit_explain(Gates *gates, const CtlView *view)
{
        uint64_t held = view->policy.n_elsewhere + view->semaphore.holders.n_items;

        if (view->policy.limit == 0)
                return;
        gate_add(gates, "all groups",
                 held < (uint64_t)view->policy.limit ? VERDICT_OPEN : VERDICT_CLOSED,
                 "%" PRIu64 " of %" PRId64 " slots of all groups together are held", held,
                 view->policy.limit);
}

static void share_explain(const CtlView *view, char text[static WHY_MAX])
{
        const Policy *policy = &view->policy.policy;

        *text = 0;
        if (policy->percent > 0 && policy->of > 0)
                (void)snprintf(text, WHY_MAX, " (%u%% of %" PRId64 " hosts)", policy->percent,
                               policy->of); /* fits */
        else if (policy->percent > 0)
                (void)snprintf(text, WHY_MAX, " (%u%% of %zu known hosts)", policy->percent,
                               view->hosts.n_peers); /* fits */
}

static void slots_explain(Gates *gates, const CtlView *view, const char *id)
{
        const Semaphore *semaphore = &view->semaphore;
        size_t before = ctl_queue_position(view, id);
        char share[WHY_MAX], span[TIMESPAN_MAX];
        bool open = semaphore->free > 0 && before == 0, known;
        usec_t wait;
        Gate *gate;

        if (semaphore_is_held_by(semaphore, id)) {
                gate_add(gates, "lock", VERDICT_OPEN, "this host holds it");
                return;
        }

        share_explain(view, share);
        known = ctl_estimate(view, before, &wait) >= 0;
        gate = gate_add(gates, "lock", open ? VERDICT_OPEN : VERDICT_CLOSED,
                        "%zu of %" PRId64
                        " slots%s are held, %zu before this host in the queue%s%s",
                        semaphore->holders.n_items, semaphore->max, share, before,
                        open ? "" : ", estimated wait: ",
                        open    ? ""
                        : known ? timespan_format(wait, span)
                                : "unknown");
        if (!open && known)
                gate->changes = now_realtime() + wait;
}

int lock_facts_read(Ctl *ctl, LockFacts *ret)
{
        int r;

        ret->needed = ctl_needs_lock(&ctl->settings);
        if (!ret->needed)
                return 0;
        r = ctl_id(ctl, NULL, &ret->id);
        if (r < 0)
                return r;

        r = ctl_try_read(ctl, true, &ret->view, &ret->why);
        ret->known = r >= 0;
        return r < 0 && !ret->why ? text_set(&ret->why, strerror(-r)) : 0;
}

void lock_facts_done(LockFacts *facts)
{
        ctl_view_done(&facts->view);
        free(facts->id);
        free(facts->why);
}

void explain_pause(Gates *gates, Ctl *ctl, const LockFacts *facts)
{
        if (facts->known)
                pause_explain(gates, ctl, &facts->view.semaphore);
}

void explain_fleet(Gates *gates, const Ctl *ctl, const LockFacts *facts)
{
        if (facts->known)
                fleet_explain(gates, ctl, &facts->view, facts->id);
}

void explain_lock(Gates *gates, const LockFacts *facts)
{
        if (!facts->needed) {
                gate_add(gates, "lock", VERDICT_OPEN, "not needed by this strategy on this host");
                return;
        }
        if (!facts->known) {
                gate_add(gates, "lock", VERDICT_UNKNOWN, "%s", facts->why);
                return;
        }

        limit_explain(gates, &facts->view);
        slots_explain(gates, &facts->view, facts->id);
}
