#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "ctl.h"
#include "lock-key.h"
#include "pause.h"

static void on_set(_unused_ const LockResult *result, _unused_ void *userdata)
{
        /* The caller tells what was done. */
}

static int max_set(Ctl *ctl, int64_t max, const char *key, const char *record)
{
        return ctl_run(ctl,
                       &(LockRequest) {
                               .kind = LOCK_KIND_SET_MAX,
                               .max = max,
                               .record_key = key,
                               .record = record,
                               .on_done = on_set,
                       },
                       "Error setting value");
}

static int pause_write(Ctl *ctl, const char *key, int64_t max, const char *reason)
{
        _cleanup_(record_done) Record host = {};
        _cleanup_free_ char *text = NULL;
        int r;

        r = record_of_host(ctl->settings.root, reason, NULL, &host);
        if (r >= 0)
                r = pause_format(&(Pause) { .max = max,
                                            .host = host.host,
                                            .reason = host.reason,
                                            .since = host.since },
                                 &text);
        if (r < 0)
                return log_error_errno(r, "pausing: %m");

        return max_set(ctl, 0, key, text);
}

int verb_pause(int argc, char **argv)
{
        _cleanup_(ctl_done) Ctl ctl = {};
        _cleanup_(semaphore_done) Semaphore semaphore = {};
        _cleanup_free_ char *key = NULL;
        int r;

        r = ctl_open(&ctl);
        if (r >= 0)
                r = ctl_read(&ctl, &semaphore);
        if (r >= 0)
                r = lock_key_pause(ctl.settings.group, &key);
        if (r < 0)
                return r;
        if (semaphore.max == 0)
                return log_error_return(-EALREADY, "the lock is paused already: its max is 0");

        r = pause_write(&ctl, key, semaphore.max, argc > 1 ? argv[1] : "");
        if (r < 0)
                return r;

        printf("paused; max was %" PRId64 "\n", semaphore.max);
        if (semaphore.holders.n_items > 0)
                log_notice("%zu hosts hold the lock and may still reboot",
                           semaphore.holders.n_items);
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

static int pause_read(Ctl *ctl, const char *key, Pause *ret)
{
        _cleanup_free_ char *text = NULL, *why = NULL;
        int r;

        r = peers_read_text(&ctl->session, key, &text, &why);
        if (r < 0)
                return log_error_return(r, "Error reading why it is paused: %s",
                                        why ? why : strerror(-r));

        r = pause_parse(text, strlen(text), ret);
        return r < 0 ? log_error_return(
                       r, "nobody paused the lock with locksmithctl pause: use set-max")
                     : 0;
}

int verb_resume(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(ctl_done) Ctl ctl = {};
        _cleanup_(semaphore_done) Semaphore semaphore = {};
        _cleanup_(pause_done) Pause pause = {};
        _cleanup_free_ char *key = NULL;
        int r;

        r = ctl_open(&ctl);
        if (r >= 0)
                r = ctl_read(&ctl, &semaphore);
        if (r >= 0)
                r = lock_key_pause(ctl.settings.group, &key);
        if (r < 0)
                return r;
        if (semaphore.max > 0)
                return log_error_return(-EALREADY, "the lock is not paused: its max is %" PRId64,
                                        semaphore.max);

        r = refuse_moved(&ctl);
        if (r >= 0)
                r = pause_read(&ctl, key, &pause);
        if (r >= 0)
                r = max_set(&ctl, pause.max, key, NULL);
        if (r < 0)
                return r;

        printf("resumed; max is %" PRId64 "\n", pause.max);
        return EXIT_DONE;
}
