#include <inttypes.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/io.h"
#include "guard.h"
#include "quorum.h"

#define MEMBER_FILE_MAX (4 * KIB)

struct Guard {
        ClusterLook *look;
        sd_event_source *later; /* the answer, when there is nobody to ask */
        const Settings *settings;
        GuardKind kind;
        bool remember;
        GuardOnDone on_done;
        void *userdata;
};

Guard *guard_cancel(Guard *g)
{
        if (!g)
                return NULL;

        cluster_look_cancel(g->look);
        sd_event_source_disable_unref(g->later);
        free(g);
        return NULL;
}
DEFINE_CLEANUP(Guard *, guard_cancel);

/* Returns whether this host may leave. */
static bool leave_judge(const Cluster *cluster, char why[static GUARD_WHY_MAX])
{
        QuorumMember members[ETCD_MEMBERS_MAX];
        QuorumVerdict verdict;
        QuorumCount count;

        for (size_t i = 0; i < cluster->n_members; i++)
                members[i] = (QuorumMember) {
                        .voter = !cluster->members[i].member->learner,
                        .healthy = cluster->members[i].healthy,
                        .here = cluster->members[i].here,
                };
        verdict = quorum_judge(members, cluster->n_members, &count);

        /* All of these fit. */
        if (verdict == QUORUM_NOT_MEMBER)
                (void)snprintf(why, GUARD_WHY_MAX, "this host is no member of etcd");
        else if (verdict == QUORUM_ALONE)
                (void)snprintf(why, GUARD_WHY_MAX,
                               "etcd has one member, on this host: it is away during the reboot");
        else
                (void)snprintf(
                        why, GUARD_WHY_MAX,
                        "without this host etcd has %zu healthy voters of %zu, and needs %zu",
                        count.n_left, count.n_voters, count.n_needed);
        return verdict != QUORUM_LOST;
}

static int members_remember(const char *root, const Cluster *cluster)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_MAX(MEMBER_FILE_MAX);
        int r = 0;

        for (size_t i = 0; i < cluster->n_members && r >= 0; i++)
                if (cluster->members[i].here)
                        r = buffer_appendf(&text, "%s\n", cluster->members[i].member->id);
        if (r < 0)
                return r;
        if (text.size == 0)
                return file_remove(root, GUARD_MEMBER_FILE);
        return file_replace(root, GUARD_MEMBER_FILE, text.data, text.size, 0644);
}

/* Does it know of an address, and of none of this host? */
static bool peer_urls_are_elsewhere(const ClusterMember *m, const char *host_name)
{
        const TextList *urls = &m->member->peer_urls;
        bool elsewhere = false;

        for (size_t i = 0; i < urls->n_items; i++) {
                int r = cluster_url_is_here(urls->items[i], host_name);

                if (r != 0)
                        return false;
                elsewhere = true;
        }
        return elsewhere;
}

const char *guard_member_problem(const Cluster *cluster, const ClusterMember *m,
                                 const char *host_name)
{
        if (peer_urls_are_elsewhere(m, host_name))
                return "its peer URLs are no addresses of this host: see etcdctl member update";
        if (!m->healthy)
                return "it does not answer, or has no leader";
        if (cluster->raft_index - MIN_OF(m->status.raft_applied_index, cluster->raft_index)
            > CLUSTER_LAG_MAX)
                return "it has not caught up with the others yet";
        return NULL;
}

/* Returns whether all members of this host are back; a member that was removed is no longer. */
static bool return_judge(const Cluster *cluster, const TextList *ids, const char *host_name,
                         char why[static GUARD_WHY_MAX])
{
        (void)snprintf(why, GUARD_WHY_MAX, "no member of etcd on this host is ill"); /* fits */
        for (size_t i = 0; i < cluster->n_members; i++) {
                const ClusterMember *m = &cluster->members[i];
                const char *problem;
                bool ours = m->here;

                for (size_t j = 0; j < ids->n_items; j++)
                        ours |= streq(m->member->id, ids->items[j]);
                problem = ours ? guard_member_problem(cluster, m, host_name) : NULL;
                if (problem) {
                        (void)snprintf(why, GUARD_WHY_MAX, "etcd member %s (%s) of this host: %s",
                                       m->member->name, m->member->id, problem); /* cut is fine */
                        return false;
                }
        }
        return true;
}

static int return_check(const Guard *g, const Cluster *cluster, char why[static GUARD_WHY_MAX])
{
        _cleanup_free_ char *text = NULL, *host_name = NULL;
        _cleanup_(text_list_done) TextList ids = {};
        int r;

        r = file_read(g->settings->root, GUARD_MEMBER_FILE, MEMBER_FILE_MAX, &text, NULL);
        if (r < 0 && r != -ENOENT)
                return r;
        r = text_list_split(&ids, text ? text : "", "\n");
        if (r < 0)
                return r;
        r = file_read_line(g->settings->root, "/etc/hostname", &host_name);
        if (r == -ENOMEM)
                return r;

        return return_judge(cluster, &ids, host_name, why);
}

/* Nothing is wrong with these, but their owner may not know it. */
static const char *cluster_warning(const Cluster *cluster)
{
        size_t n_voters = 0;

        for (size_t i = 0; i < cluster->n_members; i++)
                n_voters += !cluster->members[i].member->learner;
        if (n_voters == 1)
                return "etcd has one member only: if each host has its own, they share no lock";
        return n_voters % 2 == 0 ? "etcd has an even number of voters: one less would stand as many"
                                   " failures"
                                 : NULL;
}

static int leave_check(const Guard *g, const Cluster *cluster, char why[static GUARD_WHY_MAX])
{
        bool agrees = leave_judge(cluster, why);
        int r = 0;

        if (cluster->stranger) {
                (void)snprintf(why, GUARD_WHY_MAX,
                               "endpoint %s is of another etcd cluster than the others: hosts would"
                               " not share a lock",
                               cluster->stranger); /* cut is fine */
                return 0;
        }

        if (agrees && g->remember)
                r = members_remember(g->settings->root, cluster);
        return r < 0 ? r : agrees;
}

static void on_cluster(const Cluster *cluster, const char *problem, void *userdata)
{
        _cleanup_(guard_cancel_p) Guard *g = userdata;
        char why[GUARD_WHY_MAX] = "";
        int r;

        g->look = NULL;
        if (!cluster) {
                (void)snprintf(why, sizeof(why), "the members of etcd can not be listed: %s",
                               problem); /* cut is fine */
                r = 0;
        } else
                r = g->kind == GUARD_LEAVE ? leave_check(g, cluster, why)
                                           : return_check(g, cluster, why);
        if (r < 0)
                (void)snprintf(why, sizeof(why), GUARD_MEMBER_FILE ": %s", strerror(-r));
        g->on_done(
                &(GuardReply) {
                        .agrees = r > 0,
                        .why = why,
                        .warning = cluster ? cluster_warning(cluster) : NULL,
                },
                g->userdata);
}

static int on_nobody_to_ask(_unused_ sd_event_source *source, void *userdata)
{
        _cleanup_(guard_cancel_p) Guard *g = userdata;

        g->on_done(
                &(GuardReply) {
                        .agrees = true,
                        .why = "the lock is not in etcd: its quorum is not looked at",
                },
                g->userdata);
        return 0;
}

int guard_ask(Session *session, const Settings *settings, GuardKind kind, bool remember,
              GuardOnDone on_done, void *userdata, Guard **ret)
{
        _cleanup_(guard_cancel_p) Guard *g = calloc(1, sizeof(Guard));
        int r;

        if (!g)
                return -ENOMEM;
        *g = (Guard) {
                .settings = settings,
                .kind = kind,
                .remember = remember,
                .on_done = on_done,
                .userdata = userdata,
        };
        r = session->etcd ? cluster_look(session, settings, on_cluster, g, &g->look)
                          : sd_event_add_defer(session->event, &g->later, on_nobody_to_ask, g);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(g);
        return 0;
}
