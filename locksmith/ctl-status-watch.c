#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl-status.h"
#include "ctl-table.h"
#include "lock-key.h"

#define SETTLE_TIME (100 * USEC_PER_MSEC) /* what changes together is shown together */
#define RETRY_FIRST (1 * USEC_PER_SEC)
#define RETRY_MAX   (10 * USEC_PER_SEC)

#define SCREEN_TIME (5 * USEC_PER_SEC) /* ages go on while nothing changes */

#define TERMINAL_CLEAR       "\033[H\033[2J"
#define TERMINAL_HOME        "\033[H"
#define TERMINAL_CLEAR_LINE  "\033[K"
#define TERMINAL_CLEAR_BELOW "\033[J"

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

/* Nothing but time passes, or a signal comes. */
static int pause_for(Ctl *ctl, usec_t span)
{
        bool never = false;
        int r = session_wait(&ctl->session, &never, span);

        return r == -ETIMEDOUT ? 0 : r;
}

/* One line of JSON, if there is something new. */
static int line_show(const Ctl *ctl, const CtlView *view, char **last)
{
        json_auto_t *document = status_json(ctl, view);
        char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;

        if (!text)
                return -ENOMEM;
        if (!*last || !streq(*last, text))
                printf("%s\n", text);
        free(*last);
        *last = text;
        return fflush(stdout) == 0 ? 0 : -EIO;
}

/* Each line is written over the old one: nothing flickers. What there is no room for is counted. */
static void lines_show(const char *text, size_t height)
{
        size_t n = 0, room = MAX_OF(height, (size_t)3) - 1;

        for (const char *p = text; *p; p++)
                n += *p == '\n';
        printf(TERMINAL_HOME);
        for (size_t i = 0; *text && (n <= room || i + 1 < room); i++) {
                int length = (int)strcspn(text, "\n");

                printf("%.*s" TERMINAL_CLEAR_LINE "\n", length, text);
                text += length + 1;
        }
        if (*text)
                printf("%zu more lines: see locksmithctl status --details" TERMINAL_CLEAR_LINE "\n",
                       n - (room - 1));
        printf(TERMINAL_CLEAR_BELOW);
}

static int screen_show(const Ctl *ctl, const CtlView *view)
{
        const char *group = ctl->settings.group;
        _cleanup_free_ char *text = NULL;
        size_t size, width = ctl_width();
        char now[CTL_TIME_MAX];
        FILE *out;

        out = open_memstream(&text, &size);
        if (!out)
                return -ENOMEM;
        ctl_printf(out, width, 0, "%s%s, %s; Ctrl-C ends this",
                   is_empty(group) ? "Default group" : "Group ", is_empty(group) ? "" : group,
                   ctl_time(now_realtime(), now));
        fprintf(out, "\n");
        status_print(out, width, view, true);
        if (fclose(out) != 0)
                return -ENOMEM;

        lines_show(text, ctl_height());
        return fflush(stdout) == 0 ? 0 : -EIO;
}

/* Until the change, or until the watch may be dead. */
static int change_await(Ctl *ctl, const CtlView *view, const Change *change, bool screen)
{
        usec_t span = screen ? SCREEN_TIME : LOCK_WATCH_MAX;
        int r = -ETIMEDOUT;

        for (usec_t spent = 0; spent < LOCK_WATCH_MAX && r == -ETIMEDOUT; spent += span) {
                r = session_wait(&ctl->session, &change->done, span);
                if (r == -ETIMEDOUT && screen && screen_show(ctl, view) < 0)
                        return -EIO;
        }
        return r == -ETIMEDOUT ? 0 : r; /* look, and wait anew */
}

static int change_wait(Ctl *ctl, const CtlView *view, bool screen)
{
        Change change = {};
        EtcdWatch *watch;
        int r;

        r = etcd_watch(ctl->session.etcd,
                       &(EtcdWatchRequest) { .key = WATCH_KEY,
                                             .end = WATCH_END,
                                             .start_revision = view->policy.now + 1 },
                       on_change, &change, &watch);
        if (r < 0)
                return r;
        r = change_await(ctl, view, &change, screen);
        if (!change.done)
                etcd_watch_cancel(watch);
        if (r < 0 || !*change.why)
                return r;

        etcd_rotate(ctl->session.etcd);
        return log_error_return(-EIO, "%s", change.why);
}

static int watch_round(Ctl *ctl, bool screen, char **last)
{
        _cleanup_(ctl_view_done) CtlView view = {};
        int r;

        r = ctl_read(ctl, true, &view);
        if (r >= 0 && !view.policy.kept)
                return log_error_return(-EOPNOTSUPP, "--watch needs the v3 API of etcd");
        if (r >= 0)
                r = screen ? screen_show(ctl, &view) : line_show(ctl, &view, last);
        if (r >= 0)
                r = change_wait(ctl, &view, screen);
        return r < 0 ? r : pause_for(ctl, SETTLE_TIME);
}

int status_watch(Ctl *ctl)
{
        Backoff backoff = { .first = RETRY_FIRST, .max = RETRY_MAX };
        bool screen = !ctl_json() && isatty(STDOUT_FILENO);
        _cleanup_free_ char *last = NULL;
        int r;

        if (screen)
                printf(TERMINAL_CLEAR);
        do {
                r = watch_round(ctl, screen, &last);
                if (r >= 0)
                        backoff_reset(&backoff);
                else if (r == -EIO && !ferror(stdout))
                        r = pause_for(ctl, backoff_next(&backoff)); /* it was told */
        } while (r >= 0);

        return r; /* -ECANCELED: a signal is how this ends */
}
