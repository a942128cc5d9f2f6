#include "base/log.h"
#include "base/text.h"
#include "manager.h"

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

/* Tells when the schedule tries again; the same offer does not change that. */
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
                manager->schedule.server_busy = attempt->server_busy;
                manager->schedule.retry_after = attempt->retry_after;
        }
        if (!attempt->answered)
                return;
        manager->schedule.poll_interval = attempt->poll_interval;
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
        /* A ping gives way: it is not worth waiting for, and nobody would start the attempt later. */
        if (manager->attempt && manager->attempt->kind == ATTEMPT_PING && kind != ATTEMPT_PING)
                manager->attempt = attempt_free(manager->attempt);
        if (manager->attempt)
                return -EBUSY;

        if (manager_is_on_trial(manager)) {
                r = manager_refuse_on_trial(manager, &manager->last_error);
                manager_emit_changed(manager, changed);
                /* Clients that wait for the end of an attempt must see one. */
                manager_tell(manager, true);
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
