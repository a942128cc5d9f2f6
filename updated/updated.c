#include <signal.h>
#include <systemd/sd-daemon.h>

#include "base/bus.h"
#include "base/log.h"
#include "base/program.h"
#include "base/text.h"
#include "manager.h"
#include "version.h"

#define WORKER_NAME   "updated-worker"
#define POSTINST_NAME "updated-postinst"

static const char *arg_root = NULL;
static const char *arg_worker = NULL;
static bool arg_verbose = false;

static void programs_done(ManagerPrograms *programs)
{
        free(programs->worker);
        free(programs->postinst);
}

static int programs_find(ManagerPrograms *programs)
{
        int r;

        r = arg_worker ? text_set(&programs->worker, arg_worker)
                       : program_find(SLUICE_LIBEXECDIR, WORKER_NAME, &programs->worker);
        return r < 0 ? r : program_find(SLUICE_LIBEXECDIR, POSTINST_NAME, &programs->postinst);
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
        _cleanup_(programs_done) ManagerPrograms programs = {};
        int r;

        if (arg_verbose)
                log_set_max_level(LOG_DEBUG);
        r = programs_find(&programs);
        if (r >= 0)
                r = child_signal_block();
        if (r >= 0)
                r = event_new(&event);
        if (r >= 0)
                r = manager_new(event, arg_root, &programs, &manager);
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
                { "root", 0, OPTION_DIRECTORY, &arg_root, "DIR", "see DIR as / for every file", 0 },
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
