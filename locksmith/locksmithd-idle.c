/* locksmithd while it waits for an update: see stage.h. */
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "base/program.h"
#include "stage.h"
#include "state-tell.h"
#include "update-watch.h"

#define IDLE_IS_OVER 1 /* what the event loop ends with, behind an update */

/*
 * Signals have the usual priority. Behind them, so that a SIGTERM that was read already is not left behind, comes the end
 * of the waiting, and behind that the bus: nobody who floods it can keep the reboot up.
 */
#define PRIORITY_WAKE 10
#define PRIORITY_BUS  20

typedef struct Idle {
        Handover facts;
        sd_event *event;
        sd_event_source *wake;
        UpdateWatch watch;
        StateTell tell;
} Idle;

static StageOptions arg_stage = {};

static void idle_tell(Idle *i, Action action)
{
        static const char *const whys[_STATE_WHY_MAX] = {};

        state_tell(&i->tell, action, whys);
}

/* The end of the loop closes the bus: this comes before it. */
static int on_wake(_unused_ sd_event_source *source, void *userdata)
{
        Idle *i = userdata;
        int r;

        if (!i->facts.due)
                return 0;

        r = update_watch_leave(&i->watch, &i->facts);
        i->facts.coordinator = TAKE_FD(i->tell.coordinator.fd);
        return sd_event_exit(i->event, r < 0 ? log_error_errno(r, "handing over to locksmithd: %m")
                                             : IDLE_IS_OVER);
}

static void on_report(const UpdateReport *report, void *userdata)
{
        Idle *i = userdata;

        if (report) {
                i->facts.due = report->status == UPDATE_STATUS_UPDATED_NEED_REBOOT;
                if (text_set(&i->facts.to_version, report->new_version) < 0)
                        log_warning("out of memory: the version of the update is not recorded");
        }
        if (i->facts.due)
                (void)sd_event_source_set_enabled(
                        i->wake, SD_EVENT_ONESHOT); /* can only fail for a freed source */
        else if (report)
                idle_tell(i, ACTION_WAIT_FOR_UPDATE);
}

static void on_lost(void *userdata)
{
        Idle *i = userdata;

        i->facts.due = false;
        idle_tell(i, ACTION_WAIT_FOR_DAEMON);
}

static void idle_done(Idle *i)
{
        update_watch_done(&i->watch);
        sd_event_source_disable_unref(i->wake);
        state_tell_done(&i->tell);
        sd_event_unref(i->event);
        handover_done(&i->facts);
}

static int idle_take_over(Idle *i)
{
        Handover *facts = &i->facts;
        int r;

        r = coordinator_adopt(arg_stage.root, facts->coordinator, &i->tell.coordinator);
        if (r < 0)
                return log_error_errno(
                        r,
                        "%s was not handed over as it should be: %m: only locksmithd starts this",
                        COORDINATOR_FILE);
        i->tell.metrics_file = facts->metrics_file;
        i->tell.metrics = (LockMetrics) {
                .strategy = facts->strategy,
                .group = facts->group ? facts->group : "",
                .window_open = facts->window_open,
                .took = facts->took,
                .n_asked = facts->n_asked,
                .n_refused = facts->n_refused,
        };
        r = state_told(&i->tell, ACTION_WAIT_FOR_UPDATE);
        return r < 0 ? log_error_errno(r, "setting up: %m") : 0;
}

static int idle_open(Idle *i)
{
        int r;

        r = event_new(&i->event);
        if (r < 0)
                return log_error_errno(r, "setting up the event loop: %m");

        i->watch = (UpdateWatch) {
                .event = i->event,
                .priority = PRIORITY_BUS,
                .on_report = on_report,
                .on_lost = on_lost,
                .userdata = i,
        };
        r = sd_event_add_defer(i->event, &i->wake, on_wake, i);
        if (r >= 0)
                r = sd_event_source_set_priority(i->wake, PRIORITY_WAKE);
        if (r >= 0)
                r = sd_event_source_set_enabled(i->wake, SD_EVENT_OFF);
        if (r >= 0)
                r = update_watch_resume(&i->watch, &i->facts);
        return r < 0 ? log_error_errno(r, "setting up: %m") : 0;
}

static int idle_wake(const Idle *i)
{
        _cleanup_free_ char *program = NULL;
        int r;

        r = stage_enter(STAGE_WORK, &arg_stage, &i->facts, &program);
        return log_error_errno(r, "an update is ready, but %s can not be started: %m",
                               program ? program : "locksmithd");
}

static int run(int argc, char **argv)
{
        _cleanup_(idle_done) Idle i = { .facts = HANDOVER_NONE, .tell.coordinator.fd = -1 };
        const char *wrong = NULL;
        int r;

        if (arg_stage.debug)
                log_set_max_level(LOG_DEBUG);
        r = handover_parse((size_t)argc - 1, argv + 1, &i.facts, &wrong);
        if (r == -EINVAL)
                return program_usage("%s: wrong or missing; only locksmithd starts this", wrong);
        if (r < 0)
                return log_error_errno(r, "reading what locksmithd has handed over: %m");

        r = idle_take_over(&i);
        if (r >= 0)
                r = idle_open(&i);
        if (r < 0)
                return r;

        r = sd_event_loop(i.event);
        if (r == IDLE_IS_OVER)
                return idle_wake(&i);

        (void)sd_notify(false, "STOPPING=1"); /* not under systemd: nobody to tell */
        return r < 0 ? log_error_errno(r, "the event loop ended: %m") : EXIT_DONE;
}

int main(int argc, char **argv)
{
        static const Option options[] = {
                { "root", 0, OPTION_DIRECTORY, &arg_stage.root, "DIR", "see DIR as / for all files",
                  0 },
                { "debug", 0, OPTION_FLAG, &arg_stage.debug, NULL, "log more", 0 },
                {},
        };
        static const Program program = {
                .name = "locksmithd-idle",
                .synopsis = "[--root DIR] FACT=VALUE...",
                .summary =
                        "Waits for an update with little memory, and becomes locksmithd again then.\n"
                        "locksmithd starts it by itself when it has nothing to do.",
                .options = options,
                .run = run,
                .max_arguments = HANDOVER_WORDS_MAX,
                .single_dash = true,
                .footer = "See locksmithd(8).",
        };

        return program_run(&program, argc, argv);
}
