#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "base/bus.h"
#include "base/log.h"
#include "base/program.h"
#include "base/text.h"
#include "manager.h"
#include "version.h"

#define WORKER_NAME "updated-worker"

static const char *arg_root = NULL;
static const char *arg_worker = NULL;
static bool arg_verbose = false;

/* The installed worker, or in a build tree the one beside us. The caller frees it. */
static int worker_path(char **ret)
{
        char self[PATH_MAX];
        const char *slash;
        ssize_t n;

        if (arg_worker || access(SLUICE_LIBEXECDIR "/" WORKER_NAME, X_OK) >= 0)
                return text_set(ret, arg_worker ? arg_worker : SLUICE_LIBEXECDIR "/" WORKER_NAME);

        n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        if (n < 0)
                return -errno;
        self[n] = 0;
        slash = strrchr(self, '/');
        return text_format(ret, "%.*s/" WORKER_NAME, (int)(slash ? slash - self : 0), self);
}

/* sd_event_add_child() needs it; the worker gets a clean mask. */
static int child_signal_block(void)
{
        sigset_t set;

        if (sigemptyset(&set) < 0 || sigaddset(&set, SIGCHLD) < 0)
                return -errno;
        return RET_ERRNO(sigprocmask(SIG_BLOCK, &set, NULL));
}

static int run(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(manager_free_p) Manager *manager = NULL;
        _cleanup_free_ char *worker = NULL;
        int r;

        if (arg_verbose)
                log_set_max_level(LOG_DEBUG);
        r = worker_path(&worker);
        if (r >= 0)
                r = child_signal_block();
        if (r >= 0)
                r = event_new(&event);
        if (r >= 0)
                r = manager_new(event, arg_root, worker, &manager);
        if (r < 0)
                return log_error_errno(r, "setting up: %m");

        r = manager_start(manager);
        if (r < 0)
                return r;
        (void)sd_notify(false, "READY=1"); /* nobody listens outside of systemd */

        r = sd_event_loop(event);
        (void)sd_notify(false, "STOPPING=1");
        if (r < 0)
                return log_error_errno(r, "the event loop ended: %m");
        return EXIT_DONE;
}

int main(int argc, char **argv)
{
        static const Option options[] = {
                { "root", 0, OPTION_TEXT, &arg_root, "DIR", "see DIR as / for every file", 0 },
                { "worker", 0, OPTION_TEXT, &arg_worker, "PATH",
                  "the program that fetches and writes", 0 },
                { "verbose", 'v', OPTION_FLAG, &arg_verbose, NULL, "log more", 0 },
                {},
        };
        static const Program program = {
                .name = "updated",
                .synopsis = "[OPTION...]",
                .summary =
                        "The update daemon: asks an Omaha server for updates, writes them to the\n"
                        "other slot, and answers as " UPDATE_BUS_NAME " on the system bus.",
                .options = options,
                .run = run,
                .footer = "Settings are in /etc/coreos/update.conf, see update.conf(5).",
        };

        return program_run(&program, argc, argv);
}
