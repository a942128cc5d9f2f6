#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdio.h>

#include "base/io.h"
#include "cluster.h"

#define HOST_MAX 256

/* One question to one member, over a client of its own: only that endpoint counts. */
typedef struct Probe {
        ClusterLook *look;
        EtcdSettings settings;
        Etcd *etcd;
        EtcdCall *call;
        ClusterMember *member;        /* NULL: an endpoint, whose member is to be found */
        char *endpoint;               /* of such a one, borrowed */
        bool here;                    /* the endpoint is this host itself */
        char cluster_id[ETCD_ID_MAX]; /* what it says; "": it has not answered */
} Probe;

struct ClusterLook {
        Session *session;
        const Settings *settings;
        ClusterOnDone on_done;
        void *userdata;
        EtcdCall *list;
        EtcdMembers list_members;
        Cluster cluster;
        Probe *probes;
        size_t n_probes, n_pending;
        char *host_name;
};

ClusterLook *cluster_look_cancel(ClusterLook *l)
{
        if (!l)
                return NULL;

        etcd_cancel(l->list);
        for (size_t i = 0; i < l->n_probes; i++) {
                etcd_cancel(l->probes[i].call);
                etcd_free(l->probes[i].etcd);
        }
        free(l->probes);
        free(l->cluster.members);
        etcd_members_done(&l->list_members);
        free(l->host_name);
        free(l);
        return NULL;
}
DEFINE_CLEANUP(ClusterLook *, cluster_look_cancel);

static void look_finish(ClusterLook *look, const char *why)
{
        _cleanup_(cluster_look_cancel_p) ClusterLook *l = look;

        l->on_done(why ? NULL : &l->cluster, why ? why : "", l->userdata);
}

/* The host of a URL, without the brackets of IPv6. */
static bool url_host(const char *url, char host[static HOST_MAX])
{
        const char *p = strstr(url, "://");
        size_t n;

        if (!p)
                return false;
        p += strlen("://");
        p += *p == '[';
        n = p[-1] == '[' ? strcspn(p, "]") : strcspn(p, ":/");
        if (n == 0 || n >= HOST_MAX)
                return false;

        memcpy(host, p, n);
        host[n] = 0;
        return true;
}

static bool host_is_loopback(const char *host)
{
        struct in_addr v4;

        return streq(host, "localhost") || streq(host, "::1")
               || (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

/* Addresses by which a host reaches itself as a matter of course; what else is in 127/8 may be set up
 * for anything. */
static bool host_is_self(const char *host)
{
        return streq(host, "localhost") || streq(host, "127.0.0.1") || streq(host, "::1");
}

static bool interface_has(const struct ifaddrs *interface, const char *host)
{
        const struct sockaddr *address = interface->ifa_addr;
        char text[INET6_ADDRSTRLEN] = "", wanted[INET6_ADDRSTRLEN] = "";
        uint8_t bytes[sizeof(struct in6_addr)];
        const void *own = NULL;

        if (!address || inet_pton(address->sa_family, host, bytes) != 1)
                return false;
        if (address->sa_family == AF_INET)
                own = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
        else if (address->sa_family == AF_INET6)
                own = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        if (!own)
                return false;

        return inet_ntop(address->sa_family, own, text, sizeof(text))
               && inet_ntop(address->sa_family, bytes, wanted, sizeof(wanted))
               && streq(text, wanted);
}

static bool address_is_ours(const char *host)
{
        struct ifaddrs *interfaces;
        bool found = false;

        if (getifaddrs(&interfaces) < 0)
                return false;
        for (const struct ifaddrs *i = interfaces; i && !found; i = i->ifa_next)
                found = interface_has(i, host);
        freeifaddrs(interfaces);
        return found;
}

int cluster_url_is_here(const char *url, const char *host_name)
{
        uint8_t bytes[sizeof(struct in6_addr)];
        char host[HOST_MAX];

        if (!url_host(url, host) || host_is_loopback(host))
                return -ENODATA;
        if (!is_empty(host_name) && streq(host, host_name))
                return true;
        if (inet_pton(AF_INET, host, bytes) != 1 && inet_pton(AF_INET6, host, bytes) != 1)
                return -ENODATA;
        return address_is_ours(host);
}

static bool any_url_is_here(const TextList *urls, const char *host_name)
{
        for (size_t i = 0; i < urls->n_items; i++)
                if (cluster_url_is_here(urls->items[i], host_name) > 0)
                        return true;
        return false;
}

/* The members that were listed are one cluster; an endpoint that names another id belongs to another one. */
static void look_for_strangers(ClusterLook *l)
{
        const char *id = "";

        for (size_t i = 0; i < l->cluster.n_members; i++)
                if (l->cluster.members[i].healthy)
                        id = l->cluster.members[i].status.cluster_id;
        for (size_t i = 0; i < l->n_probes && *id; i++)
                if (*l->probes[i].cluster_id && !streq(l->probes[i].cluster_id, id))
                        l->cluster.stranger = l->probes[i].endpoint;
}

static void look_judge(ClusterLook *l)
{
        Cluster *cluster = &l->cluster;

        for (size_t i = 0; i < cluster->n_members; i++) {
                ClusterMember *m = &cluster->members[i];

                m->healthy = m->answered && m->status.has_leader
                             && streq(m->status.member_id, m->member->id);
                m->here |= any_url_is_here(&m->member->client_urls, l->host_name)
                           || any_url_is_here(&m->member->peer_urls, l->host_name);
                if (m->healthy)
                        cluster->raft_index = MAX_OF(cluster->raft_index, m->status.raft_index);
        }
        look_for_strangers(l);
        look_finish(l, NULL);
}

static void probe_take(Probe *probe, const EtcdStatus *status)
{
        Cluster *cluster = &probe->look->cluster;

        if (probe->member) {
                probe->member->status = *status;
                probe->member->answered = true;
                return;
        }
        (void)snprintf(probe->cluster_id, sizeof(probe->cluster_id), "%s",
                       status->cluster_id); /* of the same size */
        for (size_t i = 0; i < cluster->n_members && probe->here; i++)
                if (streq(cluster->members[i].member->id, status->member_id))
                        cluster->members[i].here = true;
}

static void probe_end(ClusterLook *l)
{
        if (--l->n_pending == 0)
                look_judge(l);
}

static void on_health(const EtcdReply *reply, void *userdata)
{
        Probe *probe = userdata;

        probe->call = NULL;
        probe->member->status.has_leader = etcd_read_health(reply);
        probe_end(probe->look);
}

static void on_probe(const EtcdReply *reply, void *userdata)
{
        Probe *probe = userdata;
        EtcdStatus status;

        probe->call = NULL;
        if (reply->outcome == ETCD_DONE && etcd_read_status(probe->etcd, reply, &status) >= 0)
                probe_take(probe, &status);
        if (probe->member && probe->member->answered && etcd_api(probe->etcd) == ETCD_API_V2
            && etcd_ask(probe->etcd, ETCD_ASK_HEALTH, on_health, probe, &probe->call) >= 0)
                return;
        probe_end(probe->look);
}

/* The state needs no user; a password is for the configured endpoints only. */
static int probe_start(ClusterLook *l, const TextList *endpoints, ClusterMember *member,
                       char *endpoint)
{
        Probe *probe = &l->probes[l->n_probes];
        char host[HOST_MAX];
        int r;

        *probe = (Probe) {
                .look = l,
                .settings = l->settings->etcd,
                .member = member,
                .endpoint = endpoint,
                .here = endpoint && url_host(endpoint, host) && host_is_self(host),
        };
        probe->settings.user = probe->settings.password = NULL;
        probe->settings.endpoints = endpoint ? (TextList) { &probe->endpoint, 1 } : *endpoints;
        l->n_probes++;
        r = etcd_new(l->session->http, &probe->settings, &probe->etcd);
        if (r < 0)
                return r;
        etcd_set_api(probe->etcd, etcd_api(l->session->etcd));
        r = etcd_ask(probe->etcd, ETCD_ASK_STATUS, on_probe, probe, &probe->call);
        if (r >= 0)
                l->n_pending++;
        return r;
}

static bool urls_are_valid(const TextList *urls)
{
        for (size_t i = 0; i < urls->n_items; i++)
                if (!http_url_is_valid(urls->items[i]))
                        return false;
        return urls->n_items > 0; /* a member that was never started has none */
}

static int look_probe_all(ClusterLook *l)
{
        const TextList *endpoints = &l->settings->etcd.endpoints;
        int r = 0;

        l->probes = calloc(l->cluster.n_members + endpoints->n_items, sizeof(Probe));
        if (!l->probes)
                return -ENOMEM;
        for (size_t i = 0; i < l->cluster.n_members && r >= 0; i++) {
                ClusterMember *m = &l->cluster.members[i];

                if (urls_are_valid(&m->member->client_urls))
                        r = probe_start(l, &m->member->client_urls, m, NULL);
        }
        for (size_t i = 0; i < endpoints->n_items && r >= 0; i++)
                r = probe_start(l, NULL, NULL, endpoints->items[i]);
        return r;
}

static int look_take_list(ClusterLook *l, const EtcdReply *reply)
{
        int r;

        r = etcd_read_members(l->session->etcd, reply, &l->list_members);
        if (r < 0)
                return r;
        l->cluster.members = calloc(l->list_members.n_members + 1, sizeof(ClusterMember));
        if (!l->cluster.members)
                return -ENOMEM;
        l->cluster.n_members = l->list_members.n_members;
        for (size_t i = 0; i < l->cluster.n_members; i++)
                l->cluster.members[i].member = &l->list_members.members[i];
        return look_probe_all(l);
}

static void on_list(const EtcdReply *reply, void *userdata)
{
        ClusterLook *l = userdata;
        int r;

        l->list = NULL;
        if (reply->outcome != ETCD_DONE) {
                look_finish(l, reply->why);
                return;
        }

        r = look_take_list(l, reply);
        if (r == -EBADMSG)
                look_finish(l, "the answer is none of etcd to a request for its members");
        else if (r < 0)
                look_finish(l, strerror(-r));
        else if (l->n_pending == 0)
                look_judge(l);
}

int cluster_look(Session *session, const Settings *settings, ClusterOnDone on_done, void *userdata,
                 ClusterLook **ret)
{
        _cleanup_(cluster_look_cancel_p) ClusterLook *l = calloc(1, sizeof(ClusterLook));
        int r;

        if (!l)
                return -ENOMEM;
        *l = (ClusterLook) {
                .session = session,
                .settings = settings,
                .on_done = on_done,
                .userdata = userdata,
        };
        r = file_read_line(settings->root, "/etc/hostname", &l->host_name);
        if (r == -ENOMEM)
                return r;

        r = etcd_ask(session->etcd, ETCD_ASK_MEMBERS, on_list, l, &l->list);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(l);
        return 0;
}
