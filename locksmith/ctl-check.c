#include <stdio.h>

#include "base/log.h"
#include "ctl-table.h"
#include "ctl.h"

#define INDENT 8 /* of what a line goes on with */

/* What one endpoint says about itself and its cluster. */
typedef struct Member {
        Etcd *etcd;
        EtcdStatus status;
        size_t n_members;
        char why[ETCD_WHY_MAX]; /* "" when it answered */
        bool done;
} Member;

static void on_members(const EtcdReply *reply, void *userdata)
{
        _cleanup_(etcd_members_done) EtcdMembers members = {};
        Member *member = userdata;

        member->done = true;
        if (reply->outcome == ETCD_DONE && etcd_read_members(member->etcd, reply, &members) >= 0)
                member->n_members = members.n_members; /* else 0: not known */
        if (*reply->cluster_id)
                foreign_text(reply->cluster_id, strlen(reply->cluster_id),
                             member->status.cluster_id, sizeof(member->status.cluster_id));
}

static void on_health(const EtcdReply *reply, void *userdata)
{
        Member *member = userdata;

        member->done = true;
        member->status.has_leader = etcd_read_health(reply);
}

static void on_status(const EtcdReply *reply, void *userdata)
{
        Member *member = userdata;

        member->done = true;
        if (reply->outcome != ETCD_DONE)
                (void)snprintf(member->why, sizeof(member->why), "%s",
                               reply->why); /* cut is fine */
        else if (etcd_read_status(member->etcd, reply, &member->status) < 0)
                (void)snprintf(member->why, sizeof(member->why),
                               "the answer is none of etcd"); /* fits */
}

static int member_ask(Session *session, EtcdQuestion question, EtcdOnReply on_reply, Member *member)
{
        EtcdCall *call = NULL;
        int r;

        member->done = false;
        r = etcd_ask(member->etcd, question, on_reply, member, &call);
        if (r < 0)
                return r;

        r = session_wait(session, &member->done, 0);
        if (!member->done)
                etcd_cancel(call);
        return r;
}

static int member_look(Ctl *ctl, char *endpoint, Member *member)
{
        _cleanup_(etcd_free_p) Etcd *etcd = NULL;
        EtcdSettings one = ctl->settings.etcd;
        int r;

        one.endpoints = (TextList) { .items = &endpoint, .n_items = 1 };
        r = etcd_new(ctl->session.http, &one, &etcd);
        if (r < 0)
                return r;
        etcd_set_api(etcd, etcd_api(ctl->session.etcd));
        member->etcd = etcd;
        r = member_ask(&ctl->session, ETCD_ASK_STATUS, on_status, member);
        if (r >= 0 && !*member->why && etcd_api(etcd) == ETCD_API_V2)
                r = member_ask(&ctl->session, ETCD_ASK_HEALTH, on_health, member);
        if (r >= 0 && !*member->why)
                r = member_ask(&ctl->session, ETCD_ASK_MEMBERS, on_members, member);
        member->etcd = NULL;
        return r;
}

static void member_print(const char *endpoint, const Member *member)
{
        ctl_printf(stdout, ctl_width(), INDENT, "%s: etcd %s, cluster %s, %zu member%s, %s",
                   endpoint, member->status.version, member->status.cluster_id, member->n_members,
                   member->n_members == 1 ? "" : "s",
                   member->status.has_leader ? "has a leader" : "no leader");
}

static json_t *member_json(const char *endpoint, const Member *member)
{
        if (*member->why)
                return json_pack("{s:s, s:s}", "endpoint", endpoint, "problem", member->why);
        return json_pack("{s:s, s:n, s:s, s:s, s:I, s:b}", "endpoint", endpoint, "problem",
                         "version", member->status.version, "cluster", member->status.cluster_id,
                         "members", (json_int_t)member->n_members, "has_leader",
                         (int)member->status.has_leader);
}

/* Returns whether the lock can be relied on there; what is only risky is told, too. */
static bool member_judge(const char *endpoint, const Member *member, const Member *first)
{
        bool other = !*first->why && !streq(first->status.cluster_id, member->status.cluster_id);

        if (*member->why) {
                log_error("%s", member->why);
                return false;
        }

        if (member->n_members == 1)
                log_warning(
                        "%s: a cluster of one member: if each host has its own, they do not share a lock",
                        endpoint);
        else if (member->n_members > 0 && member->n_members % 2 == 0)
                log_warning("%s: an even number of members: one less would stand as many failures",
                            endpoint);
        if (!member->status.has_leader)
                log_error("%s: it has no leader: most members are down, the lock can not be taken",
                          endpoint);
        if (other)
                log_error(
                        "%s: it belongs to another cluster than the first endpoint: hosts would not share a lock",
                        endpoint);
        return member->status.has_leader && !other;
}

/* Returns 1 when all are fine, 0 when one is not. Prints, or appends to array when there is one. */
static int endpoints_check(Ctl *ctl, json_t *array, bool *ret_reached)
{
        const TextList *endpoints = &ctl->settings.etcd.endpoints;
        Member first = {};
        bool fine = true;
        int r;

        *ret_reached = false;
        for (size_t i = 0; i < endpoints->n_items; i++) {
                Member member = {};

                r = member_look(ctl, endpoints->items[i], &member);
                if (r < 0)
                        return log_error_errno(r, "%s: %m", endpoints->items[i]);
                if (i == 0)
                        first = member;
                if (array
                    && json_array_append_new(array, member_json(endpoints->items[i], &member)) < 0)
                        return log_error_errno(-ENOMEM, "%m");
                if (!array && !*member.why)
                        member_print(endpoints->items[i], &member);
                fine &= member_judge(endpoints->items[i], &member, &first);
                *ret_reached |= !*member.why;
        }

        return fine;
}

static void settings_print(const Settings *settings, const char *id)
{
        size_t width = ctl_width();

        ctl_printf(stdout, width, INDENT, "strategy %s, group \"%s\", machine-id %s",
                   strategy_to_string(settings->strategy), settings->group, id);
        if (settings->has_window)
                ctl_printf(stdout, width, INDENT, "window %s for %s", settings->window_start,
                           settings->window_length);
        if (settings->windows_text)
                ctl_printf(stdout, width, INDENT, "windows %s", settings->windows_text);
        if (settings->blackout_text)
                ctl_printf(stdout, width, INDENT, "no reboot on %s", settings->blackout_text);
}

static int check_json(const Settings *settings, const char *id, json_t *endpoints, bool well)
{
        return ctl_print(json_pack("{s:b, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:s, s:O}", "well",
                                   (int)well, "strategy", strategy_to_string(settings->strategy),
                                   "group", settings->group, "window_start", settings->window_start,
                                   "window_length", settings->window_length, "windows",
                                   settings->windows_text, "blackout", settings->blackout_text,
                                   "machine_id", id, "endpoints", endpoints));
}

/* Every question would change its lock, so it is not asked. */
static int fleetlock_print(const Settings *settings, const char *id, json_t *endpoints)
{
        if (endpoints)
                return check_json(settings, id, endpoints, true);
        printf("FleetLock server %s: not asked, since every question would change its lock\n",
               settings->fleetlock_url);
        return EXIT_DONE;
}

int verb_check(_unused_ int argc, _unused_ char **argv)
{
        json_auto_t *endpoints = ctl_json() ? json_array() : NULL;
        _cleanup_(ctl_view_done) CtlView view = {};
        _cleanup_(ctl_done) Ctl ctl = {};
        _cleanup_free_ char *id = NULL;
        bool reached, well;
        int r;

        r = ctl_open(&ctl);
        if (r >= 0)
                r = ctl_reboot_settings(&ctl.settings);
        if (r >= 0)
                r = ctl_id(&ctl, NULL, &id);
        if (r < 0)
                return r;

        if (!endpoints)
                settings_print(&ctl.settings, id);
        if (!ctl.session.etcd)
                return fleetlock_print(&ctl.settings, id, endpoints);
        r = endpoints_check(&ctl, endpoints, &reached);
        well = r > 0 && (!reached || ctl_read(&ctl, false, &view) >= 0);
        if (r >= 0 && endpoints)
                r = check_json(&ctl.settings, id, endpoints, well);
        if (r < 0)
                return r;

        if (!well)
                return EXIT_REFUSED;
        if (!endpoints)
                printf("all is well\n");
        return EXIT_DONE;
}
