#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "ctl.h"
#include "lock-key.h"
#include "pause.h"

static const char *arg_reason = NULL;

const Option resume_options[] = {
        { "reason", 0, OPTION_TEXT, &arg_reason, "TEXT",
          "what was done about the hosts that failed;\nneeded when those have stopped the fleet",
          0 },
        {},
};

/* The lock, and the key that tells why it is paused. */
typedef struct Work {
        Ctl ctl;
        CtlView view;
        char *key;
} Work;

static void work_done(Work *work)
{
        free(work->key);
        ctl_view_done(&work->view);
        ctl_done(&work->ctl);
}

static int work_open(Work *work)
{
        int r;

        r = ctl_open(&work->ctl);
        if (r >= 0)
                r = ctl_read(&work->ctl, false, &work->view);
        if (r < 0)
                return r;

        r = lock_key_pause(work->ctl.settings.group, &work->key);
        return r < 0 ? log_error_errno(r, "%m") : 0;
}

static void on_set(_unused_ const LockResult *result, _unused_ void *userdata)
{
        /* The caller tells what was done. */
}

static int max_set(Work *work, int64_t max, const char *record, const Deed *deed)
{
        return ctl_run(&work->ctl,
                       &(LockRequest) {
                               .kind = LOCK_KIND_SET_MAX,
                               .max = max,
                               .record_key = work->key,
                               .record = record,
                               .edit = ctl_note_edit,
                               .edit_userdata = (void *)deed,
                               .on_done = on_set,
                       },
                       "Error setting value");
}

static int pause_write(Work *work, const char *reason)
{
        _cleanup_(record_done) Record host = {};
        _cleanup_(deed_done) Deed deed = {};
        _cleanup_free_ char *text = NULL;
        int r;

        r = ctl_deed(&work->ctl, &deed, "pause%s%s", *reason ? ": " : "", reason);
        if (r < 0)
                return r;
        r = record_of_host(work->ctl.settings.root, reason, NULL, &host);
        if (r >= 0)
                r = pause_format(&(Pause) { .max = work->view.semaphore.max,
                                            .host = host.host,
                                            .reason = host.reason,
                                            .since = host.since },
                                 &text);
        if (r < 0)
                return log_error_errno(r, "pausing: %m");

        return max_set(work, 0, text, &deed);
}

int verb_pause(int argc, char **argv)
{
        _cleanup_(work_done) Work work = {};
        const Semaphore *semaphore = &work.view.semaphore;
        int r;

        r = work_open(&work);
        if (r < 0)
                return r;
        if (semaphore->max == 0)
                return log_error_return(-EALREADY, "the lock is paused already: its max is 0");

        r = pause_write(&work, argc > 1 ? argv[1] : "");
        if (r < 0)
                return r;

        if (semaphore->holders.n_items > 0)
                log_notice("%zu host%s the lock and may still reboot", semaphore->holders.n_items,
                           semaphore->holders.n_items == 1 ? " holds" : "s hold");
        if (ctl_json())
                return ctl_print(json_pack("{s:b, s:I}", "paused", 1, "old_max",
                                           (json_int_t)semaphore->max));
        printf("paused; max was %" PRId64 "\n", semaphore->max);
        return EXIT_DONE;
}

/* What migrate has left paused must stay so: hosts would take two locks. */
static int refuse_moved(Ctl *ctl)
{
        _cleanup_free_ char *key = NULL, *text = NULL, *why = NULL;
        int r;

        r = lock_key_moved(ctl->settings.group, &key);
        if (r >= 0)
                r = peers_read_text(&ctl->session, key, &text, &why);
        if (r < 0)
                return log_error_return(r, "Error reading whether it has moved: %s",
                                        why ? why : strerror(-r));

        return *text ? log_error_return(-EALREADY, "locksmithctl migrate has moved this lock to the"
                                                   " other API of etcd: see --etcd-api")
                     : 0;
}

static int pause_read(Work *work, Pause *ret)
{
        _cleanup_free_ char *text = NULL, *why = NULL;
        int r;

        r = peers_read_text(&work->ctl.session, work->key, &text, &why);
        if (r < 0)
                return log_error_return(r, "Error reading why it is paused: %s",
                                        why ? why : strerror(-r));

        r = pause_parse(text, strlen(text), ret);
        return r < 0 ? log_error_return(
                       r, "nobody paused the lock with locksmithctl pause: use set-max")
                     : 0;
}

static int pause_end(Work *work)
{
        _cleanup_(pause_done) Pause pause = {};
        _cleanup_(deed_done) Deed deed = {};
        int r;

        r = refuse_moved(&work->ctl);
        if (r >= 0)
                r = pause_read(work, &pause);
        if (r >= 0)
                r = ctl_deed(&work->ctl, &deed, "resume: max is %" PRId64 " again", pause.max);
        if (r >= 0)
                r = max_set(work, pause.max, NULL, &deed);
        if (r < 0)
                return r;

        work->view.semaphore.max = pause.max;
        return 0;
}

/* Who resumes the fleet: with the reason as it was given, and as it stands in the log. */
typedef struct Resume {
        Deed deed, note;
} Resume;

static int resume_edit(Semaphore *semaphore, PolicyView *view, _unused_ int64_t revision,
                       void *userdata)
{
        const Resume *resume = userdata;
        int r;

        /* What can not be read is written anew, and counts as a stop. */
        if (view->damaged && text_set(&view->policy.stopped.who, resume->deed.who) < 0)
                return -ENOMEM;
        view->damaged = false;
        r = policy_resume(&view->policy, semaphore, &resume->deed);
        return r > 0 && policy_note(&view->policy, &resume->note) < 0 ? -ENOMEM : r;
}

/* The fleet goes on; who has said so, and why, stays in the policy. */
static int stop_end(Work *work)
{
        _cleanup_(deed_done) Deed deed = {}, note = {};
        int r;

        r = ctl_deed(&work->ctl, &deed, "%s", arg_reason);
        if (r >= 0)
                r = ctl_deed(&work->ctl, &note, "resume --reason: %s", arg_reason);
        if (r < 0)
                return r;

        return ctl_run(&work->ctl,
                       &(LockRequest) {
                               .kind = LOCK_KIND_EDIT,
                               .edit = resume_edit,
                               .edit_userdata = &(Resume) { deed, note },
                               .on_done = on_set,
                       },
                       "Error resuming");
}

static int resume_print(const Work *work, bool stopped, bool paused)
{
        const Semaphore *semaphore = &work->view.semaphore;

        if (ctl_json())
                return ctl_print(json_pack("{s:b, s:b, s:I}", "was_stopped", (int)stopped,
                                           "was_paused", (int)paused, "max",
                                           (json_int_t)semaphore->max));
        printf("resumed; max is %" PRId64 "\n", semaphore->max);
        return EXIT_DONE;
}

int verb_resume(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(work_done) Work work = {};
        char why[POLICY_WHY_MAX];
        bool stopped, paused;
        int r;

        r = work_open(&work);
        if (r < 0)
                return r;
        stopped = work.view.policy.damaged || work.view.policy.policy.stopped.who
                  || policy_n_failures(&work.view.policy.policy) > 0;
        paused = work.view.semaphore.max == 0;
        if (!stopped && !paused)
                return log_error_return(-EALREADY, "the lock is not paused: its max is %" PRId64,
                                        work.view.semaphore.max);
        if (stopped && !paused && is_empty(arg_reason)) {
                if (policy_is_stopped(&work.view.policy, why) == 0)
                        (void)snprintf(why, sizeof(why), "hosts have failed"); /* fits */
                return log_error_return(-EINVAL,
                                        "%s: say what was done about it with --reason TEXT", why);
        }

        stopped = stopped && !is_empty(arg_reason);
        r = stopped ? stop_end(&work) : 0;
        if (r >= 0 && paused)
                r = pause_end(&work);
        if (r < 0)
                return r;
        if (!stopped && policy_is_stopped(&work.view.policy, why) < 0)
                log_warning("%s", why);
        return resume_print(&work, stopped, paused);
}
