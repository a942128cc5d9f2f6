#include <fcntl.h>
#include <sys/random.h>

#include "base/bus.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "manager.h"
#include "schedule.h"

#define VERSION_NONE      "0.0.0"             /* new_version when there is none */
#define PROGRESS_STEP     0.01                /* a signal for each percent … */
#define PROGRESS_INTERVAL (10 * USEC_PER_SEC) /* … or after this */

static void manager_plan_check(Manager *manager);

void manager_read_slots(Manager *manager)
{
        _cleanup_(update_failure_done) UpdateFailure failure = {};
        Slots slots;
        int r;

        r = slots_read(manager->root, &manager->config.slots, &slots, &failure);
        slots_done(&manager->slots);
        if (r >= 0)
                manager->slots = slots;
        else
                log_warning("%s", update_failure_text(&failure));
}

void manager_save_state(Manager *manager)
{
        int r = state_write(manager->root, &manager->state);

        if (r < 0)
                (void)log_warning_errno(r, STATE_PATH " can not be written: %m");
}

int manager_read_settings(Manager *manager)
{
        Config config;
        Host host;
        int r;

        r = config_read(manager->root, &config);
        if (r < 0)
                return r;
        config_done(&manager->config);
        manager->config = config;

        r = host_read(manager->root, &host);
        if (r < 0)
                return r;
        host_done(&manager->host);
        manager->host = host;

        return reporter_set_server(manager->reporter, manager->config.server,
                                   &manager->config.transport);
}

int manager_set_report(Manager *manager, UpdateStatus status, const char *version, uint64_t size)
{
        manager->report.status = status;
        manager->report.progress = 0;
        manager->report.new_size = (int64_t)size;
        return text_set(&manager->report.new_version, is_empty(version) ? VERSION_NONE : version);
}

/* Signals every change of state, and progress now and then. */
void manager_tell(Manager *manager, bool state_changed)
{
        double progress = manager->report.progress;
        usec_t now = now_boottime();

        if (!state_changed && progress - manager->emitted_progress < PROGRESS_STEP && progress < 1
            && now - manager->emitted_at < PROGRESS_INTERVAL)
                return;

        manager->emitted_progress = progress;
        manager->emitted_at = now;
        manager_emit_status(manager);
        manager_emit_progress(manager);
}

static void on_attempt_change(Attempt *attempt, void *userdata)
{
        Manager *manager = userdata;
        UpdateReport *report = &manager->report;
        bool changed = report->status != attempt->status;

        if (attempt->kind == ATTEMPT_PING)
                return; /* the update that waits stays what there is to tell */
        if (changed && attempt->status == UPDATE_STATUS_UPDATE_AVAILABLE) {
                if (attempt->kind == ATTEMPT_INSTALL)
                        log_notice("installing a payload from %s",
                                   attempt->url ? "an URL" : "a file");
                else
                        journal_tell(JOURNAL_FOUND,
                                     &(JournalFields) { .version = attempt->plan.version },
                                     "update found: version %s, %llu bytes",
                                     *attempt->plan.version ? attempt->plan.version : "(not named)",
                                     (unsigned long long)attempt->plan.size);
                if (manager_set_report(manager, attempt->status, attempt->plan.version,
                                       attempt->plan.size)
                    < 0)
                        log_warning("memory is short");
        }
        report->status = attempt->status;
        report->progress = 0;
        if (attempt->status == UPDATE_STATUS_DOWNLOADING && attempt->plan.size > 0) {
                report->new_size = (int64_t)attempt->plan.size;
                report->progress = (double)attempt->bytes / (double)attempt_total(attempt);
                rate_update(&manager->rate, attempt->bytes, now_boottime());
        }
        manager_tell(manager, changed);
}

/* What an interrupted attempt had written is still there: this one goes on behind it. */
static void on_attempt_continued(Attempt *attempt, void *userdata)
{
        _cleanup_(update_failure_done) UpdateFailure note = {};

        (void)update_failure_set(&note, 0, UPDATE_ERROR_NONE, "at byte %llu of %llu",
                                 (unsigned long long)attempt->continued,
                                 (unsigned long long)attempt->plan.size);
        manager_note(userdata, HISTORY_RESUMED, attempt->plan.version, &note);
        journal_tell(JOURNAL_RESUMED,
                     &(JournalFields) { .version = attempt->plan.version,
                                        .stage = update_status_to_string(attempt->status),
                                        .slot = attempt_slot_name(attempt) },
                     "an update that was interrupted goes on %s; what slot %s holds already is "
                     "read back at the end",
                     update_failure_text(&note), attempt_slot_name(attempt));
}

/* When it is fetched by schedule again; the same answer of the server changes nothing of that. */
static void manager_note_put_off(Manager *manager, const Attempt *attempt)
{
        _cleanup_(update_failure_done) UpdateFailure note = {};
        uint64_t now = now_realtime() / USEC_PER_SEC, until = attempt->retries.not_before;

        if (!retries_must_wait(&attempt->retries, &attempt->response, now))
                return;
        (void)update_failure_set(&note, 0, UPDATE_ERROR_NONE,
                                 "for %llu hours, after %llu rounds through its addresses",
                                 (unsigned long long)(until - now) / 3600,
                                 (unsigned long long)attempt->retries.rounds);
        manager_note(manager, HISTORY_PUT_OFF, attempt->plan.version, &note);
        log_notice("version %s is put off %s; \"update-engine-client update\" tries it at once",
                   *attempt->plan.version ? attempt->plan.version : "(not named)",
                   update_failure_text(&note));
}

static void manager_note_failure(Manager *manager, const Attempt *attempt)
{
        const UpdateFailure *failure = &attempt->failure;

        (void)update_failure_set(&manager->last_error, 0, failure->code, "%s",
                                 update_failure_text(failure));
        manager->last_error.http_status = failure->http_status;
        manager_note(manager,
                     failure->code == UPDATE_ERROR_CANCELLED ? HISTORY_CANCELLED : HISTORY_FAILED,
                     attempt->plan.version, failure);
        manager->metrics.failures[failure->code]++;
        if (attempt->round_ended)
                manager_note_put_off(manager, attempt);
        journal_tell(JOURNAL_REFUSED,
                     &(JournalFields) { .version = attempt->plan.version,
                                        .stage = update_status_to_string(manager->report.status),
                                        .error = update_error_to_string(failure->code) },
                     attempt->slots_changed
                             ? "the update failed: %s. The running system is untouched, and the "
                               "other slot can not be booted until a later update succeeds"
                             : "the update check failed: %s. Nothing was written",
                     update_failure_text(failure));
}

static void manager_take_answer(Manager *manager, const Attempt *attempt)
{
        if (attempt->kind != ATTEMPT_INSTALL) {
                manager->server_busy = attempt->server_busy;
                manager->retry_after = attempt->retry_after;
        }
        if (!attempt->answered)
                return;
        manager->poll_interval = attempt->poll_interval;
        manager->report.last_checked = (int64_t)(now_realtime() / USEC_PER_SEC);
}

static int manager_set_outcome(Manager *manager, const Attempt *attempt, AttemptOutcome outcome)
{
        switch (outcome) {
        case ATTEMPT_NOTHING:
                if (!attempt->put_off) /* the last failure is why */
                        update_failure_done(&manager->last_error);
                journal_tell(JOURNAL_CHECKED, &(JournalFields) {}, "no update: %s",
                             attempt->reason);
                return manager_set_report(manager, UPDATE_STATUS_IDLE, NULL, 0);

        case ATTEMPT_FAILED:
                manager_note_failure(manager, attempt);
                return manager_set_report(manager, UPDATE_STATUS_IDLE, NULL, 0);

        case ATTEMPT_STAGED:
                update_failure_done(&manager->last_error);
                manager_note_staged(manager, attempt);
                journal_tell(JOURNAL_ACTIVATED,
                             &(JournalFields) { .version = attempt->plan.version,
                                                .slot = attempt_slot_name(attempt) },
                             "version %s is written and verified, and boots next",
                             *attempt->plan.version ? attempt->plan.version : "(not named)");
                return manager_set_report(manager, UPDATE_STATUS_UPDATED_NEED_REBOOT,
                                          attempt->plan.version, attempt->plan.size);
        }

        return -EINVAL;
}

static void on_attempt_end(Attempt *attempt, AttemptOutcome outcome, void *userdata)
{
        static const char *const changed[] = { "LastError",       "Slots",  "Packages",
                                               "RunningSlotGood", "Rounds", "NotBefore",
                                               "AddressFailures", NULL };
        Manager *manager = userdata;
        int r = 0;

        manager_take_answer(manager, attempt);
        if (attempt->kind != ATTEMPT_PING)
                r = manager_set_outcome(manager, attempt, outcome);
        if (r < 0)
                (void)log_error_errno(r, "taking note of the end of an attempt: %m");
        if (outcome != ATTEMPT_FAILED)
                manager->metrics.last_success = now_realtime() / USEC_PER_SEC;
        manager_write_metrics(manager);
        if (attempt->slots_changed) {
                manager_save_state(manager);
                manager_read_slots(manager);
        }

        manager->attempt = attempt_free(attempt);
        manager->rate = (Rate) {};
        manager_emit_changed(manager, changed);
        manager_tell(manager, true);
        if (!manager->timer)
                manager_plan_check(manager);
}

int manager_attempt(Manager *manager, AttemptKind kind)
{
        static const char *const changed[] = { "Channel", "RunningVersion", "Settings", "LastError",
                                               NULL };
        const AttemptHooks hooks = {
                .on_change = on_attempt_change,
                .on_continued = on_attempt_continued,
                .on_end = on_attempt_end,
                .userdata = manager,
        };
        AttemptContext context;
        int r;

        if (kind != ATTEMPT_PING && manager->report.status == UPDATE_STATUS_UPDATED_NEED_REBOOT)
                return -EBUSY;
        /* A ping is nothing to wait for, and nobody would start the attempt later. */
        if (manager->attempt && manager->attempt->kind == ATTEMPT_PING && kind != ATTEMPT_PING)
                manager->attempt = attempt_free(manager->attempt);
        if (manager->attempt)
                return -EBUSY;

        if (manager_is_on_trial(manager)) {
                r = manager_refuse_on_trial(manager, &manager->last_error);
                manager_emit_changed(manager, changed);
                manager_tell(manager, true); /* who waits for the end of an attempt is to see one */
                return r;
        }

        r = manager_read_settings(manager);
        if (r < 0)
                return r;
        manager_emit_changed(manager, changed);
        context = (AttemptContext) {
                .event = manager->event,
                .http = manager->http,
                .reporter = manager->reporter,
                .root = manager->root,
                .worker = manager->programs.worker,
                .postinst = manager->programs.postinst,
                .config = &manager->config,
                .host = &manager->host,
                .state = &manager->state,
        };
        return attempt_new(&context, kind, &hooks, &manager->attempt);
}

/* Nobody is asked by itself, but on demand. */
static bool manager_is_paused(const Manager *manager)
{
        int fd = root_open(manager->root, HOST_TEST_IMAGE, O_PATH, 0);
        bool test_image = fd >= 0;

        (void)close_fd(fd);
        if (test_image || manager->state.paused)
                log_info("no check by schedule: %s",
                         test_image ? "there is " HOST_TEST_IMAGE
                                    : "checks are paused, until \"update-engine-client resume\"");
        return test_image || manager->state.paused;
}

static int on_check_due(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Manager *manager = userdata;
        bool waits = manager->report.status == UPDATE_STATUS_UPDATED_NEED_REBOOT, paused;
        int r;

        manager->timer = sd_event_source_disable_unref(manager->timer);
        paused = manager_is_paused(manager);
        manager->check_missed = !paused && manager_is_on_trial(manager);
        if (paused || manager->check_missed) {
                manager_plan_check(manager);
                return 0;
        }
        r = manager_attempt(manager, waits ? ATTEMPT_PING : ATTEMPT_SCHEDULED);
        if (r == -EBUSY)
                return 0; /* somebody asked just now: its end plans the next check */
        if (r < 0) {
                (void)log_error_errno(r, "starting an update check: %m");
                manager_plan_check(manager);
        }
        return 0;
}

static void manager_plan_check(Manager *manager)
{
        static const char *const changed[] = { "NextCheck", NULL };
        Schedule schedule = {
                .first = manager->config.check_first,
                .interval = manager->config.check_interval,
                .poll_interval = manager->poll_interval,
                .last = manager->last_wait,
                .server_busy = manager->server_busy,
                .retry_after = manager->retry_after,
                .place = host_place(&manager->host),
        };
        int r;

        if (getrandom(&schedule.chance, sizeof(schedule.chance), GRND_NONBLOCK)
            != (ssize_t)sizeof(schedule.chance))
                schedule.chance = now_boottime(); /* early boot: still different on each host */
        manager->last_wait = schedule_next(&schedule);
        r = sd_event_add_time_relative(manager->event, &manager->timer, CLOCK_BOOTTIME,
                                       manager->last_wait, 0, on_check_due, manager);
        if (r < 0) {
                (void)log_error_errno(r, "setting the timer of the next check: %m");
                (void)sd_event_exit(manager->event, r); /* systemd starts us anew */
                return;
        }

        (void)sd_event_source_set_description(manager->timer, "next-check");
        manager->next_check = now_realtime() + manager->last_wait;
        manager_emit_changed(manager, changed);
}

int manager_reset(Manager *manager)
{
        static const char *const changed[] = { "LastError", "Rounds", "NotBefore",
                                               "AddressFailures", NULL };

        if (manager->attempt && manager->attempt->kind != ATTEMPT_PING)
                return -EBUSY;

        /* Also what did not boot gets another chance: somebody has looked at it. */
        text_clear(&manager->state.failed_version);
        text_clear(&manager->state.failed_sha256);
        text_clear(&manager->state.retries);
        text_clear(&manager->state.left_version);
        update_failure_done(&manager->last_error);
        manager_emit_changed(manager, changed);
        if (manager->report.status != UPDATE_STATUS_UPDATED_NEED_REBOOT) {
                manager_save_state(manager);
                return 0;
        }

        state_unstage(&manager->state);
        manager_save_state(manager);
        log_notice("the update that waits for its reboot is forgotten; its slot stays the next to "
                   "boot until another update begins");
        manager_tell(manager, manager_set_report(manager, UPDATE_STATUS_IDLE, NULL, 0) >= 0);
        manager_write_metrics(manager);
        return 0;
}

/* The version that was staged before this boot does not run: it was tried, and the old one is back. */
static int manager_note_rollback(Manager *manager)
{
        State *state = &manager->state;
        bool ill = streq_null(state->failed_version, state->staged_version); /* noted when it ran */
        int r;

        r = text_set(&state->failed_version, state->staged_version);
        if (r >= 0)
                r = text_set(&state->failed_sha256, state->staged_sha256);
        if (r < 0)
                return r;

        (void)update_failure_set(&manager->last_error, 0, UPDATE_ERROR_ROLLED_BACK,
                                 "version %s %s, %s runs again; it is not tried again "
                                 "until the server offers another one, or after "
                                 "\"update-engine-client reset-status\"",
                                 is_empty(state->failed_version) ? "(not named)"
                                                                 : state->failed_version,
                                 ill ? "was not good" : "did not boot", manager->host.version);
        manager->metrics.failures[UPDATE_ERROR_ROLLED_BACK]++;
        journal_tell(JOURNAL_ROLLED_BACK, &(JournalFields) { .version = state->failed_version },
                     "%s", update_failure_text(&manager->last_error));
        manager_note(manager, HISTORY_FELL_BACK, state->failed_version, &manager->last_error);
        return 0;
}

/*
 * What became of the update that was staged last? The note was written before the partition table; only the
 * table tells whether the slot ever was the next one to boot.
 */
static int manager_judge_staged(Manager *manager)
{
        State *state = &manager->state;
        const Slots *slots = &manager->slots;
        bool known = slots->gpt.n_partitions > 0 && slots->target != SLOT_NONE;
        bool flipped = known && slots_target_was_next(slots);
        uint64_t size = 0;
        int r;

        if (is_empty(state->staged_boot_id))
                return 0;

        if (streq(state->staged_boot_id, manager->host.boot_id)) {
                if (known && !slots_target_is_next(slots)) {
                        state_unstage(state);
                        return 0;
                }
                if (state->staged_size && text_to_u64(state->staged_size, INT64_MAX, &size) < 0)
                        size = 0;
                return manager_set_report(manager, UPDATE_STATUS_UPDATED_NEED_REBOOT,
                                          state->staged_version, size);
        }

        if (streq_null(state->previous_version, manager->host.version)) {
                r = flipped ? manager_note_rollback(manager) : 0;
                if (r < 0)
                        return r;
                if (!flipped)
                        state->previous_version[0] = 0; /* it never came to a try */
        } else if (slots->gpt.n_partitions > 0 && !slots_running_is_good(slots))
                return 0; /* on trial: a fall back is still possible */
        text_clear(&state->staged_boot_id);
        return 0;
}

static int manager_settle_state(Manager *manager)
{
        State *state = &manager->state;
        const Slots *slots = &manager->slots;
        char **version = NULL;
        int r;

        r = manager_judge_staged(manager);
        if (r < 0)
                return r;
        if (!state->aleph_version)
                r = text_set(&state->aleph_version, manager->host.version);
        if (r >= 0 && slots->gpt.n_partitions > 0)
                version = state_slot_version(state,
                                             slot_name(&slots->gpt.partitions[slots->running]));
        if (r >= 0 && version)
                r = text_set(version, manager->host.version);
        if (r < 0)
                return r;

        manager_save_state(manager);
        return 0;
}

int manager_start(Manager *manager)
{
        int r;

        /* First, before anything is changed: the name is what keeps a second daemon away. Calls wait for the loop. */
        r = manager_bus_open(manager);
        if (r == -EEXIST)
                return log_error_return(r,
                                        "another update daemon runs on this host: " UPDATE_BUS_NAME
                                        " is taken on the system bus; nothing was changed");
        if (r < 0)
                return log_error_errno(r, "connecting to the system bus as %s: %m%s",
                                       UPDATE_BUS_NAME, bus_open_hint(r));
        manager_sweep(manager);
        r = state_read(manager->root, &manager->state);
        if (r >= 0)
                r = manager_read_settings(manager);
        if (r < 0)
                return log_error_errno(r, "reading settings and state: %m");

        manager_read_slots(manager);
        r = manager_settle_state(manager);
        if (r < 0)
                return log_error_errno(r, "reading settings and state: %m");
        manager_settle_health(manager);
        manager_write_metrics(manager);

        if (manager_needs_trial(manager)) {
                r = manager_begin_trial(manager);
                if (r < 0)
                        return log_error_errno(r, "beginning the trial of the running slot: %m");
        }
        manager_emit_status(manager);
        manager_plan_check(manager);
        r = reporter_flush(manager->reporter, NULL, NULL);
        if (r < 0)
                (void)log_warning_errno(r, "reading the queue of events: %m");
        return 0;
}

int manager_new(sd_event *event, const char *root, const ManagerPrograms *programs, Manager **ret)
{
        _cleanup_(manager_free_p) Manager *manager = calloc(1, sizeof(Manager));
        int r;

        if (!manager)
                return -ENOMEM;

        manager->event = sd_event_ref(event);
        manager->slots = (Slots) { .running = SLOT_NONE, .target = SLOT_NONE };
        r = text_set(&manager->root, root && !streq(root, "/") ? root : "");
        if (r >= 0)
                r = text_set(&manager->programs.worker, programs->worker);
        if (r >= 0)
                r = text_set(&manager->programs.postinst, programs->postinst);
        if (r >= 0)
                r = manager_set_report(manager, UPDATE_STATUS_IDLE, NULL, 0);
        if (r >= 0)
                r = http_new(event, &manager->http);
        if (r >= 0)
                r = reporter_new(event, manager->http, manager->root, &manager->reporter);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(manager);
        return 0;
}

Manager *manager_free(Manager *manager)
{
        if (!manager)
                return NULL;

        trial_free(manager->trial);
        attempt_free(manager->attempt);
        sd_event_source_disable_unref(manager->reboot_retry);
        free(manager->ill);
        sd_event_source_disable_unref(manager->timer);
        reporter_free(manager->reporter);
        http_free(manager->http);
        sd_bus_flush_close_unref(manager->bus);
        state_done(&manager->state);
        slots_done(&manager->slots);
        host_done(&manager->host);
        config_done(&manager->config);
        update_report_done(&manager->report);
        update_failure_done(&manager->last_error);
        free(manager->root);
        free(manager->programs.worker);
        free(manager->programs.postinst);
        sd_event_unref(manager->event);
        free(manager);
        return NULL;
}
