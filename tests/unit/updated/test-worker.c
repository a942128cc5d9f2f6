#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bus.h"
#include "base/io.h"
#include "base/text.h"
#include "base/time-util.h"
#include "unit/unit.h"
#include "worker.h"

#define TEST_TIMEOUT (20 * USEC_PER_SEC)

/* What the daemon would see of one worker. */
typedef struct Seen {
        sd_event *event;
        Worker *worker;
        int error;
        UpdateErrorCode code;
        char *text;
        uint64_t bytes;
        unsigned n_progress;
        WorkerStage stage;
} Seen;

static void on_stage(WorkerStage stage, void *userdata)
{
        ((Seen *)userdata)->stage = stage;
}

static void on_progress(uint64_t bytes, void *userdata)
{
        Seen *seen = userdata;

        seen->bytes = bytes;
        seen->n_progress++;
}

static void on_end(int error, const UpdateFailure *failure, void *userdata)
{
        Seen *seen = userdata;

        seen->error = error;
        seen->code = failure->code;
        seen->text = strdup(update_failure_text(failure));
        seen->worker = worker_free(seen->worker);
        (void)sd_event_exit(seen->event, 0);
}

/* Runs a shell script as the worker; *ret is the test's to clean up. */
static void worker_run(const char *script, const char *user, Seen *ret)
{
        const WorkerHooks hooks = { on_stage, on_progress, on_end, ret };
        _cleanup_close_ int target = -1;
        char *directory = directory_make();
        char *path, *text;

        assert_int_equal(chmod(directory, 0755), 0); /* another user is to run it */
        assert_true(text_format(&path, "%s/worker", directory) >= 0);
        assert_true(text_format(&text, "#!/bin/sh\n%s\n", script) >= 0);
        assert_int_equal(file_replace(NULL, path, text, strlen(text), 0755), 0);
        target = root_open(directory, "target", O_RDWR | O_CREAT, 0600);
        assert_true(target >= 0);

        *ret = (Seen) { .stage = _WORKER_STAGE_INVALID };
        assert_int_equal(event_new(&ret->event), 0);
        assert_true(sd_event_add_time_relative(ret->event, NULL, CLOCK_MONOTONIC, TEST_TIMEOUT, 0,
                                               NULL, (void *)(intptr_t)-ETIME)
                    >= 0);
        assert_int_equal(worker_start(ret->event,
                                      &(WorkerParameters) {
                                              .program = path,
                                              .user = user,
                                              .plan = "the plan",
                                              .keys = "the keys",
                                              .target_fd = target,
                                      },
                                      &hooks, &ret->worker),
                         0);
        assert_int_equal(sd_event_loop(ret->event), 0);
        sd_event_unref(ret->event);
        free(path);
        free(text);
}

static const struct {
        const char *script;
        bool good;
        UpdateErrorCode code;
        const char *text; /* a part of the sentence */
} cases[] = {
        { "echo STAGE=fetch; echo PROGRESS=7; echo STAGE=done", true, UPDATE_ERROR_NONE, "" },
        { "echo STAGE=done; exit 1", false, UPDATE_ERROR_GENERIC, "status 1" },
        { "exit 0", false, UPDATE_ERROR_GENERIC, "without a result" },
        { "kill -9 $$", false, UPDATE_ERROR_GENERIC, "status 137" },
        { "echo 'ERROR=payload-hash it is wrong'; exit 1", false, UPDATE_ERROR_PAYLOAD_HASH,
          "it is wrong" },
        { "echo 'ERROR=payload-hash it is wrong'; echo STAGE=done", false,
          UPDATE_ERROR_PAYLOAD_HASH, "it" },
        { "echo SIZE=5; echo MADE=1; echo EXPIRES=2; echo VERSION=; echo STAGE=done", true,
          UPDATE_ERROR_NONE, "" },
        { "echo SIZE=; echo STAGE=done", false, UPDATE_ERROR_GENERIC, "reports of the worker" },
        { "echo MADE=-1; echo STAGE=done", false, UPDATE_ERROR_GENERIC, "reports of the worker" },
        { "echo \"VERSION=$(printf %3000d 1)\"; echo STAGE=done", false, UPDATE_ERROR_GENERIC,
          "reports of the worker" },
        { "echo nonsense; echo STAGE=done", false, UPDATE_ERROR_GENERIC, "reports of the worker" },
        { "echo STAGE=nonsense", false, UPDATE_ERROR_GENERIC, "reports of the worker" },
        { "echo PROGRESS=-1; echo STAGE=done", false, UPDATE_ERROR_GENERIC,
          "reports of the worker" },
        { "echo 'ERROR=nonsense x'", false, UPDATE_ERROR_GENERIC, "reports of the worker" },
        { "echo 'ERROR=none x'; echo STAGE=done", false, UPDATE_ERROR_GENERIC,
          "reports of the worker" },
        { "echo ERROR=payload-hash", false, UPDATE_ERROR_GENERIC, "reports of the worker" },
        { "printf 'STAGE=fe\\0tch\\n'; echo STAGE=done", false, UPDATE_ERROR_GENERIC, "reports" },
        { "printf 'ERROR=slots \\377\\n'", false, UPDATE_ERROR_GENERIC, "reports of the worker" },
        { "echo nonsense; trap '' PIPE TERM; exec sleep 1000", false, UPDATE_ERROR_GENERIC,
          "reports" },
        { "exec cat /dev/zero", false, UPDATE_ERROR_GENERIC, "reports of the worker" },
        { "test \"$(cat)\" = 'the plan' && test \"$(cat <&4)\" = 'the keys' && echo x >&3 && echo STAGE=done",
          true, UPDATE_ERROR_NONE, "" },
        /* nothing else of the daemon is open in it: 10 and above are the shell's own */
        { "echo URL_GOOD=0; echo URL_FAILED=63; echo URL_REFUSED=1; echo STAGE=done", true,
          UPDATE_ERROR_NONE, "" },
        { "echo URL_FAILED=64; echo STAGE=done", false, UPDATE_ERROR_GENERIC, "reports" },
        { "echo IMAGE_SHA256=$(printf %064d 7); echo STAGE=done", true, UPDATE_ERROR_NONE, "" },
        { "echo IMAGE_SHA256=$(printf %063d 7); echo STAGE=done", false, UPDATE_ERROR_GENERIC,
          "reports" },
        { "echo CONTINUED=7; echo STAGE=done", true, UPDATE_ERROR_NONE, "" },
        { "echo CONTINUED=-7; echo STAGE=done", false, UPDATE_ERROR_GENERIC, "reports" },
        /* its files can not fill a disk: an image of its own has at most 8 GiB; what is too much is an error */
        { "truncate -s 8589934592 /proc/self/fd/3 && LC_ALL=C dd if=/dev/zero of=/proc/self/fd/3 bs=1 count=1 "
          "seek=8589934592 2>&1 | grep -q 'File too large' && echo STAGE=done; "
          "test $(stat -Lc %s /proc/self/fd/3) = 8589934592",
          true, UPDATE_ERROR_NONE, "" },
        { "for i in 5 6 7 8 9; do test -e /proc/self/fd/$i && exit 1; done; echo STAGE=done", true,
          UPDATE_ERROR_NONE, "" },
        { "grep -q '^NoNewPrivs:.*1' /proc/self/status && grep -q '^SigBlk:.*0000000000000000' "
          "/proc/self/status && echo STAGE=done",
          true, UPDATE_ERROR_NONE, "" },
};

static void test_reports_are_believed_only_when_everything_agrees(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Seen seen;

                worker_run(cases[i].script, NULL, &seen);
                if ((seen.error == 0) != cases[i].good || seen.code != cases[i].code
                    || (!cases[i].good && !strstr(seen.text, cases[i].text)))
                        fail_msg("%s: %d %d %s", cases[i].script, seen.error, (int)seen.code,
                                 seen.text);
                free(seen.text);
        }
}

static void test_progress_and_stages_arrive(_unused_ void **state)
{
        Seen seen;

        worker_run(
                "echo STAGE=fetch; echo PROGRESS=1; printf PROG; sleep 0.1; echo RESS=22; echo STAGE=verify; "
                "echo STAGE=done",
                NULL, &seen);
        assert_int_equal(seen.error, 0);
        assert_int_equal(seen.n_progress, 2);
        assert_int_equal(seen.bytes, 22);
        assert_int_equal(seen.stage, WORKER_STAGE_DONE);
        free(seen.text);
}

static void test_root_gives_its_privileges_away(_unused_ void **state)
{
        Seen seen;

        if (geteuid() != 0)
                skip(); /* only root can become somebody else */
        worker_run(
                "test \"$(id -un)\" = nobody && test \"$(id -G)\" = \"$(id -g)\" && echo STAGE=done",
                "nobody", &seen);
        assert_int_equal(seen.error, 0);
        free(seen.text);
}

static void test_a_user_that_does_not_exist_changes_nothing(_unused_ void **state)
{
        Seen seen;

        worker_run("echo STAGE=done", "no-such-user-here", &seen);
        assert_int_equal(seen.error, 0);
        free(seen.text);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reports_are_believed_only_when_everything_agrees),
                cmocka_unit_test(test_progress_and_stages_arrive),
                cmocka_unit_test(test_root_gives_its_privileges_away),
                cmocka_unit_test(test_a_user_that_does_not_exist_changes_nothing),
        };
        sigset_t set;

        if (sigemptyset(&set) < 0 || sigaddset(&set, SIGCHLD) < 0
            || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
