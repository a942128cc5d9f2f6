#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "ctl-table.h"
#include "ctl.h"
#include "lock-key.h"

#define ROUNDS_MAX 10 /* each time the lock had changed between looking and writing */

#define NOT_KEPT                                                                           \
        "the hosts of a group are known in etcd v3 only: see LOCK_BACKEND and ETCD_API in" \
        " locksmithd(8)"

/* A FleetLock server refuses to be read, and the v2 keys have no hosts. Logs what is wrong. */
static int hosts_read(Ctl *ctl, CtlView *ret)
{
        int r;

        if (!ctl->session.etcd)
                return log_error_return(-EOPNOTSUPP, "Error reading the hosts: " NOT_KEPT);
        r = ctl_read(ctl, true, ret);
        if (r < 0 || ret->policy.kept)
                return r;

        ctl_view_done(ret);
        return log_error_return(-EOPNOTSUPP, "Error reading the hosts: " NOT_KEPT);
}

/* What it does with the lock now. */
static const char *host_word(const CtlView *view, const char *id)
{
        if (semaphore_is_held_by(&view->semaphore, id))
                return "HOLDS ";
        return peers_find(&view->queue, id) ? "WAITS " : "";
}

static int host_print(const CtlView *view, const Peer *peer)
{
        const Record *record = &peer->record;
        char id[ETCD_WHY_MAX], span[TIMESPAN_MAX];
        _cleanup_free_ char *text = NULL;
        int r;

        r = text_format(&text, "%s%s  %s", host_word(view, peer->id),
                        *record->host ? record->host : "?", record->from_version);
        if (r < 0)
                return r;

        foreign_text(peer->id, strlen(peer->id), id, sizeof(id));
        printf("%-*s  %-*s  ", CTL_ID_WIDTH, id, CTL_AGE_WIDTH, ctl_age(record->since, span));
        ctl_print_from(stdout, ctl_width(), CTL_REST_COLUMN, text);
        return 0;
}

static json_t *host_json(const CtlView *view, const Peer *peer)
{
        const Record *record = &peer->record;

        return json_pack("{s:s, s:s, s:s, s:I, s:I, s:b, s:b}", "id", peer->id, "host",
                         record->host, "version", record->from_version, "since",
                         (json_int_t)record->since, "held", (json_int_t)record->held, "holds",
                         (int)semaphore_is_held_by(&view->semaphore, peer->id), "waits",
                         (int)(peers_find(&view->queue, peer->id) != NULL));
}

static int hosts_json(const CtlView *view)
{
        json_auto_t *array = json_array();
        int r = 0;

        for (size_t i = 0; i < view->hosts.n_peers; i++)
                r |= json_array_append_new(array, host_json(view, &view->hosts.peers[i]));
        return ctl_print(r < 0 ? NULL : json_incref(array));
}

int verb_hosts(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(ctl_view_done) CtlView view = {};
        _cleanup_(ctl_done) Ctl ctl = {};
        int r;

        r = ctl_open(&ctl);
        if (r >= 0)
                r = hosts_read(&ctl, &view);
        if (r < 0)
                return r;
        if (ctl_json())
                return hosts_json(&view);

        if (view.hosts.n_peers > 0)
                printf("%-*s  %-*s  %s\n", CTL_ID_WIDTH, "HOST", CTL_AGE_WIDTH, "SEEN",
                       "NAME, VERSION");
        for (size_t i = 0; i < view.hosts.n_peers && r >= 0; i++)
                r = host_print(&view, &view.hosts.peers[i]);
        return r < 0 ? log_error_errno(r, "%m") : EXIT_DONE;
}

/* A host that is to be forgotten. */
typedef struct Forget {
        char *id;
        char name[ETCD_WHY_MAX]; /* for people */
        Deed deed;
        int64_t seen;     /* the revision at which the hosts were counted */
        uint64_t n_hosts; /* without it */
        int64_t max;      /* behind it */
        char *why;
        bool stale, holds; /* the lock has changed since then; it holds it */
        LockOutcome outcome;
} Forget;

static void forget_done(Forget *f)
{
        free(f->id);
        free(f->why);
        deed_done(&f->deed);
}

/* Who is meant: an id, or a name that only one host has. Logs what is wrong. */
static int host_find(const CtlView *view, const char *name, const Peer **ret)
{
        const Peer *found = peers_find(&view->hosts, name);
        size_t n = found != NULL;

        for (size_t i = 0; i < view->hosts.n_peers && (n == 0 || !streq(found->id, name)); i++)
                if (streq(view->hosts.peers[i].record.host, name)) {
                        found = &view->hosts.peers[i];
                        n++;
                }
        if (n > 1)
                return log_error_return(-ENOTUNIQ,
                                        "%zu known hosts have the name %s: say which one by its id,"
                                        " as locksmithctl hosts shows it",
                                        n, name);
        if (n == 0)
                return log_error_return(-ENOENT,
                                        "no host \"%s\" is known: see locksmithctl hosts, and"
                                        " --group",
                                        name);

        *ret = found;
        return 0;
}

static int refuse_holder(const Forget *f)
{
        return log_error_return(-EBUSY,
                                "%s holds the lock, so it is not forgotten: when it will not come"
                                " back, first free its slot with locksmithctl unlock %s",
                                f->name, f->id);
}

/* Who lives makes itself known again only when locksmithd starts. */
static int refuse_alive(const CtlView *view, const Forget *f)
{
        if (semaphore_is_held_by(&view->semaphore, f->id))
                return refuse_holder(f);
        if (peers_find(&view->queue, f->id))
                return log_error_return(-EBUSY,
                                        "%s waits for the lock, so it is alive and is not"
                                        " forgotten: stop its locksmithd first",
                                        f->name);
        return 0;
}

/* Hosts that make themselves known meanwhile change the lock with that. */
static int forget_edit(Semaphore *semaphore, PolicyView *view, int64_t revision, void *userdata)
{
        Forget *f = userdata;
        int r;

        f->stale = revision > f->seen;
        f->holds = semaphore_is_held_by(semaphore, f->id);
        if (f->stale || f->holds)
                return -ESTALE;
        if (view->damaged)
                return 1;

        r = policy_apply_share(&view->policy, f->n_hosts, semaphore);
        if (r >= 0)
                r = policy_note(&view->policy, &f->deed);
        return r < 0 ? r : 1; /* in any case: that others who count hosts see it */
}

static void on_forgotten(const LockResult *result, void *userdata)
{
        Forget *f = userdata;

        f->outcome = result->outcome;
        f->max = result->semaphore ? result->semaphore->max : 0;
        if (text_set(&f->why, result->why) < 0)
                f->outcome = LOCK_FAILED; /* of which nobody can say why */
}

static int forget_write(Ctl *ctl, Forget *f)
{
        _cleanup_free_ char *key = NULL;
        int r;

        r = lock_key_host(ctl->settings.group, f->id, &key);
        if (r < 0)
                return r;

        return session_run(&ctl->session,
                           &(LockRequest) {
                                   .kind = LOCK_KIND_EDIT,
                                   .sides = &(LockSide) { .key = key },
                                   .n_sides = 1,
                                   .edit = forget_edit,
                                   .edit_userdata = f,
                                   .on_done = on_forgotten,
                                   .userdata = f,
                           },
                           0);
}

/* Looks, and writes unless the lock has changed meanwhile. Returns 1 when it has. Logs what is wrong. */
static int forget_round(Ctl *ctl, Forget *f)
{
        _cleanup_(ctl_view_done) CtlView view = {};
        int r;

        r = hosts_read(ctl, &view);
        if (r >= 0)
                r = refuse_alive(&view, f);
        if (r < 0)
                return r;
        f->max = view.semaphore.max;
        if (!peers_find(&view.hosts, f->id))
                return 0; /* the answer got lost, or somebody else did it */

        f->seen = view.hosts.seen;
        f->n_hosts = view.hosts.n_peers - 1;
        r = forget_write(ctl, f);
        if (r < 0)
                return log_error_errno(r, "Error forgetting %s: %m", f->name);
        if (f->outcome == LOCK_DONE || f->stale)
                return f->stale;
        if (f->holds)
                return refuse_holder(f);
        return log_error_return(-EIO, "Error forgetting %s: %s", f->name, f->why);
}

static int host_forget(Ctl *ctl, const Peer *peer, json_t *array)
{
        _cleanup_(forget_done) Forget f = {};
        int r;

        foreign_text(*peer->record.host ? peer->record.host : peer->id,
                     strlen(*peer->record.host ? peer->record.host : peer->id), f.name,
                     sizeof(f.name));
        r = text_set(&f.id, peer->id);
        if (r >= 0)
                r = ctl_deed(ctl, &f.deed, "forget %s (%s)", peer->id, peer->record.host);
        if (r < 0)
                return r;

        r = 1;
        for (unsigned i = 0; i < ROUNDS_MAX && r > 0; i++)
                r = forget_round(ctl, &f);
        if (r > 0)
                return log_error_return(-EAGAIN,
                                        "Error forgetting %s: the lock changes too fast: try again",
                                        f.name);
        if (r >= 0 && array)
                return json_array_append_new(array, json_string(f.id));
        if (r >= 0)
                printf("forgot %s; max is %" PRId64 "\n", f.name, f.max);
        return r;
}

int verb_forget(int argc, char **argv)
{
        json_auto_t *array = ctl_json() ? json_array() : NULL;
        _cleanup_(ctl_view_done) CtlView view = {};
        _cleanup_(ctl_done) Ctl ctl = {};
        const Peer *peer;
        int r;

        r = ctl_open(&ctl);
        if (r >= 0)
                r = hosts_read(&ctl, &view);
        for (int i = 1; i < argc && r >= 0; i++) /* all or nothing, as far as names go */
                r = host_find(&view, argv[i], &peer);
        for (int i = 1; i < argc && r >= 0; i++) {
                r = host_find(&view, argv[i], &peer);
                if (r >= 0)
                        r = host_forget(&ctl, peer, array);
        }
        if (r < 0)
                return r;

        return array ? ctl_print(json_pack("{s:O}", "forgotten", array)) : EXIT_DONE;
}
