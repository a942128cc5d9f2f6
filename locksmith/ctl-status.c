#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "ctl-status.h"
#include "ctl-table.h"

#define INDENT 8 /* of what goes on below a line that is none of a table */

static bool arg_details = false, arg_watch = false;

const Option status_options[] = {
        { "details", 0, OPTION_FLAG, &arg_details, NULL, "also who waits, and what the hosts tell",
          0 },
        { "watch", 0, OPTION_FLAG, &arg_watch, NULL,
          "show it all again at each change, until Ctrl-C", 0 },
        {},
};

/* Ids are whatever somebody has put there: nothing in them may act on the terminal. */
static const char *shown(const char *id, char text[static ETCD_WHY_MAX])
{
        foreign_text(id, strlen(id), text, ETCD_WHY_MAX);
        return text;
}

/* Only what somebody has set: without that it is the output of the classic tool. */
static void policy_print(FILE *out, size_t width, const CtlView *view)
{
        const PolicyView *policy = &view->policy;
        const Policy *group = &policy->policy;
        char why[POLICY_WHY_MAX];

        if (group->percent > 0 && group->of > 0)
                fprintf(out, "Share: %u%% of %" PRId64 " hosts\n", group->percent, group->of);
        else if (group->percent > 0)
                fprintf(out, "Share: %u%% of all known hosts\n", group->percent);
        if (policy->limit > 0)
                fprintf(out, "Global: %" PRIu64 " of %" PRId64 " held in all groups\n",
                        policy->n_elsewhere + view->semaphore.holders.n_items, policy->limit);
        if (policy_n_failures(group) > 0)
                fprintf(out, "Failed: %zu\n", policy_n_failures(group));
        if (policy_is_stopped(policy, why) < 0)
                ctl_printf(out, width, INDENT, "Stopped: %s", why);
}

static void ids_print(FILE *out, const CtlView *view)
{
        char text[ETCD_WHY_MAX];

        if (view->semaphore.holders.n_items > 0)
                fprintf(out, "\nMACHINE ID\n");
        for (size_t i = 0; i < view->semaphore.holders.n_items; i++)
                fprintf(out, "%s\n", shown(view->semaphore.holders.items[i], text));
}

static const char *holder_word(const Peer *peer)
{
        if (peer_is_gone(peer))
                return "GONE ";
        if (peer_is_late(peer))
                return "OVERDUE ";
        return peer->record.departed > 0 ? "DOWN " : "";
}

static void head_print(FILE *out, const char *who, const char *age, const char *rest)
{
        fprintf(out, "\n%-*s  %-*s  %s\n", CTL_ID_WIDTH, who, CTL_AGE_WIDTH, age, rest);
}

/* What belongs to an id: how long ago, and a text. */
static void line_print(FILE *out, size_t width, const char *id, int64_t since, const char *text)
{
        char name[ETCD_WHY_MAX], span[TIMESPAN_MAX];

        fprintf(out, "%-*s  %-*s  ", CTL_ID_WIDTH, shown(id, name), CTL_AGE_WIDTH,
                ctl_age(since, span));
        ctl_print_from(out, width, CTL_REST_COLUMN, text);
}

static void record_print(FILE *out, size_t width, const char *id, const Peer *peer,
                         const char *word)
{
        const Record *record = &peer->record;
        _cleanup_free_ char *text = NULL;

        if (text_format(&text, "%s%s  %s%s%s  %s", word, *record->host ? record->host : "?",
                        record->from_version, *record->to_version ? " -> " : "", record->to_version,
                        record->reason)
            < 0)
                return; /* the end is near anyway */
        line_print(out, width, id, record->since, text);
}

static void holders_print(FILE *out, size_t width, const CtlView *view)
{
        if (view->semaphore.holders.n_items > 0)
                head_print(out, "HOLDER", "FOR", "HOST, VERSIONS, REASON");
        for (size_t i = 0; i < view->semaphore.holders.n_items; i++) {
                const char *id = view->semaphore.holders.items[i];
                const Peer *peer = peers_find(&view->holders, id);

                if (peer)
                        record_print(out, width, id, peer, holder_word(peer));
                else
                        line_print(out, width, id, 0, "(no record: of an old client, or by hand)");
        }
}

static const char *wait_text(const CtlView *view, size_t before, char text[static TIMESPAN_MAX])
{
        usec_t wait;

        if (ctl_estimate(view, before, &wait) < 0)
                return "unknown";
        return wait == 0 ? "next" : timespan_format(wait, text);
}

static void waiters_print(FILE *out, size_t width, const CtlView *view)
{
        char wait[TIMESPAN_MAX];

        if (view->queue.n_peers > 0)
                head_print(out, "WAITER, IN ORDER", "FOR", "HOST, VERSIONS, REASON");
        for (size_t i = 0; i < view->queue.n_peers; i++) {
                record_print(out, width, view->queue.peers[i].id, &view->queue.peers[i], "");
                ctl_printf(out, width, CTL_REST_COLUMN, "%*splace %zu, estimated wait: %s",
                           CTL_REST_COLUMN, "", i + 1, wait_text(view, i, wait));
        }
}

static void failures_print(FILE *out, size_t width, const Policy *policy)
{
        char span[TIMESPAN_MAX];

        if (policy->n_failures > 0)
                head_print(out, "FAILED", "SINCE", "HOST, WHY");
        for (size_t i = 0; i < policy->n_failures; i++) {
                const Failure *failure = &policy->failures[i];
                _cleanup_free_ char *text = NULL;

                if (text_format(&text, "%s%s: %s", failure->excused ? "(excused) " : "",
                                *failure->host ? failure->host : "?", failure->why)
                    >= 0)
                        line_print(out, width, failure->id, failure->since, text);
        }
        if (policy->resumed.who) {
                fprintf(out, "\n");
                ctl_printf(out, width, INDENT, "Resumed %s ago by %s: %s",
                           ctl_age(policy->resumed.since, span), policy->resumed.who,
                           policy->resumed.reason);
        }
}

void status_print(FILE *out, size_t width, const CtlView *view, bool details)
{
        fprintf(out, "Available: %" PRId64 "\nMax: %" PRId64 "\n", view->semaphore.free,
                view->semaphore.max);
        policy_print(out, width, view);
        if (!details) {
                ids_print(out, view);
                return;
        }
        if (view->policy.kept)
                fprintf(out, "Known hosts: %zu\n", view->hosts.n_peers);
        holders_print(out, width, view);
        waiters_print(out, width, view);
        failures_print(out, width, &view->policy.policy);
}

static json_t *peer_json(const char *id, const Peer *peer)
{
        const Record *record = peer ? &peer->record : NULL;

        if (!record)
                return json_pack("{s:s}", "id", id);
        return json_pack("{s:s, s:b, s:b, s:b, s:s, s:s, s:I, s:I, s:s, s:s, s:s}", "id", id,
                         "overdue", (int)peer_is_late(peer), "gone", (int)peer_is_gone(peer),
                         "down", (int)(record->departed > 0), "host", record->host, "boot_id",
                         record->boot_id, "since", (json_int_t)record->since, "departed",
                         (json_int_t)record->departed, "reason", record->reason, "from_version",
                         record->from_version, "to_version", record->to_version);
}

static json_t *waiter_json(const CtlView *view, size_t i)
{
        json_t *object = peer_json(view->queue.peers[i].id, &view->queue.peers[i]);
        usec_t wait;
        bool known = ctl_estimate(view, i, &wait) >= 0;

        if (json_object_set_new(object, "position", json_integer((json_int_t)i + 1)) < 0
            || json_object_set_new(object, "estimated_wait",
                                   known ? json_integer((json_int_t)(wait / USEC_PER_SEC))
                                         : json_null())
                       < 0) {
                json_decref(object);
                return NULL;
        }
        return object;
}

static json_t *deed_json(const Deed *deed)
{
        return deed->who ? json_pack("{s:s, s:s, s:I}", "who", deed->who, "reason", deed->reason,
                                     "since", (json_int_t)deed->since)
                         : json_null();
}

static json_t *policy_json(const CtlView *view)
{
        const Policy *policy = &view->policy.policy;
        json_auto_t *failures = json_array();
        int r = 0;

        for (size_t i = 0; i < policy->n_failures; i++) {
                const Failure *failure = &policy->failures[i];

                r |= json_array_append_new(failures,
                                           json_pack("{s:s, s:s, s:s, s:I, s:b}", "id", failure->id,
                                                     "host", failure->host, "why", failure->why,
                                                     "since", (json_int_t)failure->since, "excused",
                                                     (int)failure->excused));
        }
        if (r < 0)
                return NULL;
        return json_pack("{s:I, s:I, s:I, s:I, s:O, s:o, s:o, s:s?}", "percent",
                         (json_int_t)policy->percent, "of", (json_int_t)policy->of, "global_max",
                         (json_int_t)view->policy.limit, "global_held",
                         (json_int_t)(view->policy.n_elsewhere + view->semaphore.holders.n_items),
                         "failures", failures, "stopped", deed_json(&policy->stopped), "resumed",
                         deed_json(&policy->resumed), "problem", view->policy.why);
}

json_t *status_json(const Ctl *ctl, const CtlView *view)
{
        json_auto_t *ids = json_array(), *records = json_array(), *waiters = json_array();
        int r = 0;

        for (size_t i = 0; i < view->semaphore.holders.n_items; i++) {
                const char *id = view->semaphore.holders.items[i];

                r |= json_array_append_new(ids, json_string(id));
                r |= json_array_append_new(records, peer_json(id, peers_find(&view->holders, id)));
        }
        for (size_t i = 0; i < view->queue.n_peers; i++)
                r |= json_array_append_new(waiters, waiter_json(view, i));
        if (r < 0)
                return NULL;

        return json_pack("{s:s, s:I, s:I, s:O, s:O, s:O, s:I, s:o}", "group", ctl->settings.group,
                         "available", (json_int_t)view->semaphore.free, "max",
                         (json_int_t)view->semaphore.max, "holders", ids, "records", records,
                         "queue", waiters, "known_hosts", (json_int_t)view->hosts.n_peers, "policy",
                         policy_json(view));
}

int verb_status(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(ctl_done) Ctl ctl = {};
        _cleanup_(ctl_view_done) CtlView view = {};
        int r;

        r = ctl_open(&ctl);
        if (r >= 0 && arg_watch)
                return status_watch(&ctl);
        if (r >= 0)
                r = ctl_read(&ctl, arg_details || ctl_json(), &view);
        if (r < 0)
                return r;

        if (view.semaphore.stored != view.semaphore.free)
                log_warning("the stored number of free slots, %" PRId64
                            ", is wrong; the next change of the lock corrects it",
                            view.semaphore.stored);
        if (ctl_json())
                return ctl_print(status_json(&ctl, &view));
        status_print(stdout, ctl_width(), &view, arg_details);
        return EXIT_DONE;
}
