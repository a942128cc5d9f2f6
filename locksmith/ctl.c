#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "base/bus.h"
#include "base/io.h"
#include "base/log.h"
#include "ctl.h"
#include "daemon.h"
#include "guard.h"

typedef struct CtlRun {
        const LockRequest *request;
        const char *what;
        const char *hint; /* see ctl_endpoint_hint() */
        int r;
} CtlRun;

void ctl_done(Ctl *ctl)
{
        session_done(&ctl->session);
        sd_event_unref(ctl->event);
        settings_done(&ctl->settings);
        *ctl = (Ctl) {};
}

int ctl_open(Ctl *ctl)
{
        int r;

        r = ctl_settings(&ctl->settings);
        if (r < 0)
                return r;

        r = event_new(&ctl->event);
        if (r >= 0)
                r = session_open(ctl->event, &ctl->settings, &ctl->session);
        if (r < 0)
                return log_error_errno(r, "setting up: %m");
        return 0;
}

const char *ctl_endpoint_hint(const Ctl *ctl)
{
        return ctl->session.etcd && !ctl->settings.endpoint
                       ? "; where etcd is was not said: see --endpoint, or LOCKSMITHD_ENDPOINT"
                         " in locksmithd(8)"
                       : "";
}

static void on_result(const LockResult *result, void *userdata)
{
        CtlRun *run = userdata;

        if (result->outcome == LOCK_DONE) {
                run->r = 0;
                run->request->on_done(result, run->request->userdata);
                return;
        }

        run->r = -EIO;
        log_error("%s: %s%s", run->what, result->why,
                  result->unsure
                          ? "; it may have been done all the same: look at locksmithctl status"
                  : result->outcome == LOCK_FAILED ? run->hint
                                                   : "");
}

int ctl_run(Ctl *ctl, const LockRequest *request, const char *what)
{
        CtlRun run = {
                .request = request,
                .what = what,
                .hint = ctl_endpoint_hint(ctl),
        };
        LockRequest ours = *request;
        int r;

        ours.on_done = on_result;
        ours.userdata = &run;
        r = session_run(&ctl->session, &ours, 0);
        if (r == -ECANCELED)
                return log_error_return(r, "%s: interrupted", what);
        if (r < 0)
                return log_error_errno(r, "%s: %m", what);
        return run.r;
}

int ctl_id(const Ctl *ctl, const char *argument, char **ret)
{
        int r;

        if (argument) {
                *ret = strdup(argument);
                return *ret ? 0 : log_error_errno(-ENOMEM, "%m");
        }

        r = settings_machine_id(&ctl->settings, ret);
        return r < 0 ? log_error_errno(
                       r,
                       "Cannot read machine-id: %m; systemd-machine-id-setup writes /etc/machine-id")
                     : 0;
}

typedef struct GuardAnswer {
        char *why;
        bool agrees, done;
} GuardAnswer;

static void on_guard(const GuardReply *reply, void *userdata)
{
        GuardAnswer *answer = userdata;

        *answer = (GuardAnswer) { .agrees = reply->agrees, .done = true };
        if (text_format(&answer->why, "%s%s%s", reply->why, reply->warning ? "; " : "",
                        reply->warning ? reply->warning : "")
            < 0)
                answer->why = NULL; /* which is an error to who asked */
}

int ctl_ask_guard(Ctl *ctl, bool *ret_agrees, char **ret_why)
{
        GuardAnswer answer = {};
        Guard *guard;
        int r;

        r = guard_ask(&ctl->session, &ctl->settings, GUARD_LEAVE, false, on_guard, &answer, &guard);
        if (r >= 0) {
                r = session_wait(&ctl->session, &answer.done, 0);
                if (!answer.done)
                        guard_cancel(guard);
        }
        if (r >= 0 && !answer.why)
                r = -ENOMEM;
        if (r < 0)
                return log_error_errno(r, "asking the members of etcd: %m");

        *ret_agrees = answer.agrees;
        *ret_why = answer.why;
        return 0;
}

bool ctl_needs_lock(const Settings *settings)
{
        _cleanup_close_ int marker = root_open(settings->root, DAEMON_ETCD_SEEN, O_RDONLY, 0);

        return strategy_needs_lock(settings->strategy, marker >= 0);
}

int ctl_print(json_t *document)
{
        json_auto_t *owned = document;
        _cleanup_free_ char *text = owned ? json_dumps(owned, JSON_INDENT(2)) : NULL;

        if (!text)
                return log_error_errno(-ENOMEM, "%m");
        program_answered();
        return printf("%s\n", text) < 0 ? -EIO : 0;
}

const char *ctl_age(int64_t since, char buffer[static TIMESPAN_MAX])
{
        usec_t now = now_realtime(), then = (usec_t)since * USEC_PER_SEC;

        return since > 0 && then <= now ? timespan_format_short(now - then, buffer) : "?";
}

const char *ctl_time(usec_t when, char buffer[static CTL_TIME_MAX])
{
        time_t seconds = (time_t)(when / USEC_PER_SEC);
        struct tm local;

        if (!localtime_r(&seconds, &local)
            || strftime(buffer, CTL_TIME_MAX, "%a %Y-%m-%d %H:%M %Z", &local) == 0)
                *buffer = 0; /* the year is too large */
        return buffer;
}
