#include <pwd.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl.h"
#include "estimate.h"

void ctl_view_done(CtlView *view)
{
        semaphore_done(&view->semaphore);
        policy_view_done(&view->policy);
        peers_done(&view->holders);
        peers_done(&view->queue);
        peers_done(&view->hosts);
}

typedef struct Reading {
        CtlView *view;
        char *why;
        int r;
} Reading;

static void on_read(const LockResult *result, void *userdata)
{
        Reading *reading = userdata;

        reading->r = result->outcome == LOCK_DONE ? 0 : -EIO;
        if (reading->r < 0) {
                reading->why = strdup(result->why);
                return;
        }
        reading->r = semaphore_copy(result->semaphore, &reading->view->semaphore);
        if (reading->r >= 0)
                reading->r = policy_view_copy(result->view, &reading->view->policy);
}

static int hosts_read(Ctl *ctl, CtlView *view, char **ret_why)
{
        const char *group = ctl->settings.group;
        int r;

        r = peers_read_holders(&ctl->session, group, &view->holders, ret_why);
        if (r >= 0)
                r = peers_read_queue(&ctl->session, group, &view->queue, ret_why);
        if (r >= 0)
                r = peers_read_hosts(&ctl->session, group, &view->hosts, ret_why);
        return r;
}

int ctl_try_read(Ctl *ctl, bool hosts, CtlView *ret, char **ret_why)
{
        _cleanup_(ctl_view_done) CtlView view = {};
        Reading reading = { .view = &view };
        int r;

        r = session_run(
                &ctl->session,
                &(LockRequest) { .kind = LOCK_KIND_READ, .on_done = on_read, .userdata = &reading },
                0);
        if (r >= 0) {
                r = reading.r;
                *ret_why = reading.why;
        }
        if (r >= 0 && hosts)
                r = hosts_read(ctl, &view, ret_why);
        if (r < 0)
                return r;

        *ret = view;
        view = (CtlView) {};
        return 0;
}

int ctl_read(Ctl *ctl, bool hosts, CtlView *ret)
{
        _cleanup_free_ char *why = NULL;
        int r;

        r = ctl_try_read(ctl, hosts, ret, &why);
        if (r == -ECANCELED)
                return log_error_return(r, "Error reading the lock: interrupted");
        if (r < 0 && why)
                return log_error_return(r, "Error reading the lock: %s%s", why,
                                        ctl_endpoint_hint(ctl));
        return r < 0 ? log_error_errno(r, "Error reading the lock: %m") : 0;
}

size_t ctl_queue_position(const CtlView *view, const char *id)
{
        size_t i = 0;

        while (i < view->queue.n_peers && !streq(view->queue.peers[i].id, id))
                i++;
        return i;
}

int ctl_estimate(const CtlView *view, size_t before, usec_t *ret)
{
        return estimate_wait(&view->hosts, &view->semaphore, before, ret);
}

int ctl_who(const Ctl *ctl, char **ret)
{
        _cleanup_(record_done) Record host = {};
        const char *user = getenv("SUDO_USER");
        const struct passwd *entry = getpwuid(getuid());
        char text[ETCD_WHY_MAX];
        int r;

        if (is_empty(user))
                user = entry ? entry->pw_name : "?";
        foreign_text(user, strlen(user), text, sizeof(text));
        r = record_of_host(ctl->settings.root, "", NULL, &host);
        return r < 0 ? r : text_format(ret, "%s on %s", text, *host.host ? host.host : "?");
}
