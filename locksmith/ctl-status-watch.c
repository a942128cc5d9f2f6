#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl-status.h"
#include "lock-key.h"

#define SETTLE_TIME (100 * USEC_PER_MSEC) /* what changes together is shown together */
#define RETRY_FIRST (1 * USEC_PER_SEC)
#define RETRY_MAX   (10 * USEC_PER_SEC)

#define TERMINAL_CLEAR "\033[H\033[2J"

/* All keys of all groups, ours and those of old clients. */
#define WATCH_KEY LOCK_KEY_ROOT "/"
#define WATCH_END LOCK_KEY_ROOT "0"

/* The change that is waited for. */
typedef struct Change {
        bool done;
        char why[ETCD_WHY_MAX]; /* "" when there was one; else why it can not be waited for */
} Change;

static void on_change(const EtcdWatchLine *line, const char *why, void *userdata)
{
        bool changed = line && line->changed;
        Change *change = userdata;

        change->done = true;
        (void)snprintf(change->why, sizeof(change->why), "%s",
                       changed ? "" : why); /* cut is fine */
}

static int change_wait(Ctl *ctl, int64_t seen)
{
        Change change = {};
        EtcdWatch *watch;
        int r;

        r = etcd_watch(ctl->session.etcd,
                       &(EtcdWatchRequest) {
                               .key = WATCH_KEY, .end = WATCH_END, .start_revision = seen + 1 },
                       on_change, &change, &watch);
        if (r < 0)
                return r;
        r = session_wait(&ctl->session, &change.done, LOCK_WATCH_MAX);
        if (!change.done)
                etcd_watch_cancel(watch);
        if (r == -ETIMEDOUT)
                return 0; /* it may be dead: look, and wait anew */
        if (r < 0 || !*change.why)
                return r;

        etcd_rotate(ctl->session.etcd);
        return log_error_return(-EIO, "%s", change.why);
}

/* Nothing but time passes, or a signal comes. */
static int pause_for(Ctl *ctl, usec_t span)
{
        bool never = false;
        int r = session_wait(&ctl->session, &never, span);

        return r == -ETIMEDOUT ? 0 : r;
}

/* One line of JSON, or the whole screen, if there is something new. */
static int view_show(const Ctl *ctl, const CtlView *view, char **last)
{
        json_auto_t *document = status_json(ctl, view);
        char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;
        char now[CTL_TIME_MAX];

        if (!text)
                return -ENOMEM;
        if (*last && streq(*last, text)) {
                free(text);
                return 0;
        }
        free(*last);
        *last = text;

        if (ctl_json() || !isatty(STDOUT_FILENO))
                printf("%s\n", text);
        else {
                printf(TERMINAL_CLEAR "Group \"%s\", %s; Ctrl-C ends this\n\n", ctl->settings.group,
                       ctl_time(now_realtime(), now));
                status_print(view, true);
        }
        return fflush(stdout) == 0 ? 0 : -EIO;
}

static int watch_round(Ctl *ctl, char **last)
{
        _cleanup_(ctl_view_done) CtlView view = {};
        int r;

        r = ctl_read(ctl, true, &view);
        if (r >= 0 && !view.policy.kept)
                return log_error_return(-EOPNOTSUPP, "--watch needs the v3 API of etcd");
        if (r >= 0)
                r = view_show(ctl, &view, last);
        if (r >= 0)
                r = change_wait(ctl, view.policy.now);
        return r < 0 ? r : pause_for(ctl, SETTLE_TIME);
}

int status_watch(Ctl *ctl)
{
        Backoff backoff = { .first = RETRY_FIRST, .max = RETRY_MAX };
        _cleanup_free_ char *last = NULL;
        int r;

        do {
                r = watch_round(ctl, &last);
                if (r >= 0)
                        backoff_reset(&backoff);
                else if (r == -EIO && !ferror(stdout))
                        r = pause_for(ctl, backoff_next(&backoff)); /* it was told */
        } while (r >= 0);

        return r; /* -ECANCELED: a signal is how this ends */
}
