/* The trial of a version that has just been booted: what is kept of it, and what follows from it. */
#include "base/log.h"
#include "base/text.h"
#include "health.h"
#include "manager.h"

#define REBOOT_RETRY (1 * USEC_PER_MINUTE) /* after logind refused */

static const GptPartition *manager_running_slot(const Manager *manager)
{
        return &manager->slots.gpt.partitions[manager->slots.running];
}

/* The running slot is good, or was found to be: what was kept for the case that it is not goes. */
static void manager_forget_trial(Manager *manager)
{
        State *state = &manager->state;

        if (!streq_null(state->staged_boot_id, manager->host.boot_id))
                text_clear(
                        &state->staged_boot_id); /* what is staged in this boot still waits for its own */
        text_clear(&state->left_version);
        if (streq_null(state->failed_version, manager->host.version)) {
                text_clear(&state->failed_version);
                text_clear(&state->failed_sha256);
        }
        manager_raise_marks(manager);
}

/* Marks the running slot good and mends the partition table. What goes wrong is logged, and returned. */
static int manager_confirm(Manager *manager)
{
        const char *label = manager_running_slot(manager)->label;
        int r = health_confirm(&manager->slots);

        if (r < 0)
                log_error("%s: marking the running slot %s good: %s", manager->slots.place, label,
                          slots_why(&manager->slots, r));
        else if (r == HEALTH_TABLE_MENDED)
                log_notice("%s: one copy of the partition table was damaged or out of date, and is "
                           "mended from the other",
                           manager->slots.place);
        else if (r == HEALTH_MARKED_GOOD)
                manager_note_good(manager, label);

        manager_read_slots(manager); /* what is on disk counts */
        if (manager->slots.gpt.n_partitions > 0 && slots_running_is_good(&manager->slots))
                manager_forget_trial(manager);
        return r;
}

bool manager_needs_trial(const Manager *manager)
{
        return manager->slots.gpt.n_partitions > 0 && !slots_running_is_good(&manager->slots)
               && trial_is_needed(manager->root, &manager->config);
}

void manager_settle_health(Manager *manager)
{
        if (manager->slots.gpt.n_partitions > 0 && !manager_needs_trial(manager))
                (void)manager_confirm(manager); /* logged */
}

/* What the bus tells of the trial has changed. */
static void manager_tell_trial(Manager *manager)
{
        static const char *const changed[] = { "Trial", "Slots", "RunningSlotGood", "LastError",
                                               NULL };

        manager_emit_changed(manager, changed);
}

static void on_trial_change(void *userdata)
{
        Manager *manager = userdata;

        log_info("version %s is on trial: it %s", manager->host.version,
                 trial_text(manager->trial));
        manager_tell_trial(manager);
}

/* A check that was due in the meantime is made now. */
static void manager_catch_up(Manager *manager)
{
        int r;

        if (!manager->check_missed)
                return;
        manager->check_missed = false;
        r = manager_attempt(manager, ATTEMPT_SCHEDULED);
        if (r < 0 && r != -EBUSY)
                (void)log_error_errno(r, "starting an update check: %m");
}

static int manager_end_trial(Manager *manager)
{
        int r;

        manager->trial = trial_free(manager->trial);
        text_clear(&manager->ill);
        manager->reboot_retry = sd_event_source_disable_unref(manager->reboot_retry);
        r = manager_confirm(manager);
        manager_write_metrics(manager);
        manager_tell_trial(manager);
        if (r >= 0)
                manager_catch_up(manager);
        return r;
}

/* Durable before anything else is done: this version is not installed again by itself. */
static int manager_note_ill(Manager *manager, bool leaves)
{
        State *state = &manager->state;
        const char *version = manager->host.version;
        bool staged = !is_empty(state->staged_boot_id); /* the update that was staged last runs */
        int r;

        r = text_set(&state->failed_version, version);
        if (r >= 0)
                r = text_set(&state->failed_sha256, staged ? state->staged_sha256 : NULL);
        if (r >= 0 && leaves)
                r = text_set(&state->left_version, version);
        return r < 0 ? r : state_write(manager->root, state);
}

/* What follows, and what can be done. */
static const char *ill_advice(const Manager *manager, HealthAction action)
{
        if (action == HEALTH_GO_BACK)
                return "The host reboots into the version before";
        if (!health_has_way_back(&manager->slots))
                return "There is no good version to go back to; mend what is wrong, then restart "
                       "updated.service, or use \"update-engine-client mark-good\"";
        if (manager->slots.running_state.tries > 0)
                return "The boot loader tries it again before it takes the version before; "
                       "\"update-engine-client mark-good\" keeps this one";
        return "The next reboot brings the version before back; "
               "\"update-engine-client mark-good\" keeps this one";
}

static void manager_tell_ill(Manager *manager, HealthAction action)
{
        (void)update_failure_set(&manager->last_error, 0, UPDATE_ERROR_ROLLED_BACK,
                                 "version %s is not good: %s", manager->host.version, manager->ill);
        journal_tell(JOURNAL_ILL,
                     &(JournalFields) { .version = manager->host.version,
                                        .slot = slot_name(manager_running_slot(manager)) },
                     "%s. %s", update_failure_text(&manager->last_error),
                     ill_advice(manager, action));
        manager_note(manager, HISTORY_ILL, manager->host.version, &manager->last_error);
}

static void manager_reboot(Manager *manager);

static int on_reboot_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        manager_reboot(userdata);
        return 0;
}

void manager_reboot_refused(Manager *manager, const char *why)
{
        char span[TIMESPAN_MAX];
        int r;

        log_error("rebooting into the version before: %s; tried again in %s", why,
                  timespan_format(REBOOT_RETRY, span));
        manager->reboot_retry = sd_event_source_disable_unref(manager->reboot_retry);
        r = sd_event_add_time_relative(manager->event, &manager->reboot_retry, CLOCK_BOOTTIME,
                                       REBOOT_RETRY, 0, on_reboot_retry, manager);
        if (r < 0)
                (void)log_error_errno(r, "setting a timer: %m");
}

static void manager_reboot(Manager *manager)
{
        int r = manager_bus_reboot(manager);

        if (r < 0)
                manager_reboot_refused(manager, strerror(-r));
}

/* Only once for a version, which is on disk, and only when the boot loader will not take the same slot again. */
static void manager_go_back(Manager *manager)
{
        int r = slots_mark_running_bad(&manager->slots);

        if (r < 0) {
                log_error("%s: the running slot can not be marked bad, so there is no reboot: %s",
                          manager->slots.place, slots_why(&manager->slots, r));
                return;
        }
        manager_read_slots(manager);
        manager_tell_trial(manager);
        manager_reboot(manager);
}

/*
 * systemd-bless-boot calls a version good when boot-complete.target is reached, and knows no checks of ours. What
 * somebody called good while they ran is not; as long as there is a way back, the boot loader is told so.
 */
static void manager_take_back_good(Manager *manager)
{
        int r;

        manager_read_slots(manager);
        if (!health_has_way_back(&manager->slots) || !slots_running_is_good(&manager->slots))
                return;

        log_notice(
                "the running slot was marked good before its checks had passed; that is taken back");
        r = slots_mark_running_bad(&manager->slots);
        if (r < 0)
                log_error("%s: the running slot stays marked good: %s", manager->slots.place,
                          slots_why(&manager->slots, r));
        manager_read_slots(manager);
}

static void on_trial_end(HealthAction action, const char *why, void *userdata)
{
        Manager *manager = userdata;
        int r;

        if (action == HEALTH_MARK_GOOD) {
                (void)manager_end_trial(manager); /* logged */
                return;
        }

        if (text_set(&manager->ill, why ? why : "memory is short") < 0)
                log_warning("memory is short");
        manager->trial = trial_free(manager->trial);
        r = manager_note_ill(manager, action == HEALTH_GO_BACK);
        manager_take_back_good(manager);
        manager_tell_ill(manager, r < 0 ? HEALTH_STAY : action);
        manager_tell_trial(manager);
        if (r < 0)
                (void)log_error_errno(r,
                                      STATE_PATH " can not be written, so there is no reboot: %m");
        else if (action == HEALTH_GO_BACK)
                manager_go_back(manager);
}

int manager_begin_trial(Manager *manager)
{
        const TrialRequest request = {
                .event = manager->event,
                .bus = manager->bus,
                .root = manager->root,
                .version = manager->host.version,
                .config = &manager->config,
                .way_back = health_has_way_back(&manager->slots),
                .went_back = streq_null(manager->state.left_version, manager->host.version),
                .on_change = on_trial_change,
                .on_end = on_trial_end,
                .userdata = manager,
        };
        int r;

        r = trial_new(&request, &manager->trial);
        if (r >= 0)
                on_trial_change(manager);
        return r;
}

/* The way back stays as it is for as long as it may be needed, and the server is told nothing too early. */
bool manager_is_on_trial(const Manager *manager)
{
        return manager->trial || (manager->ill && health_has_way_back(&manager->slots));
}

int manager_refuse_on_trial(const Manager *manager, UpdateFailure *failure)
{
        return update_failure_set(
                failure, -EBUSY, UPDATE_ERROR_SLOTS,
                manager->trial ? "version %s is on trial: it %s; no update before it "
                                 "is found good"
                               : "version %s is not good: %s; no update until the "
                                 "version before runs again, or after "
                                 "\"update-engine-client mark-good\"",
                manager->host.version, manager->trial ? trial_text(manager->trial) : manager->ill);
}

int manager_mark_good(Manager *manager, UpdateFailure *failure)
{
        int r;

        if (manager->slots.gpt.n_partitions == 0)
                return update_failure_set(failure, -ENODEV, UPDATE_ERROR_SLOTS,
                                          "the slots can not be told; the log says why");
        if (slots_running_is_good(&manager->slots))
                return 0;

        log_notice("somebody marks the running slot %s good", manager_running_slot(manager)->label);
        r = manager_end_trial(manager);
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "%s: marking the running slot good: %s",
                                          manager->slots.place, slots_why(&manager->slots, r));
        update_failure_done(&manager->last_error);
        return 0;
}
