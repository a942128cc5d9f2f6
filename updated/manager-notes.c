/* What is kept of what happened: history, metrics, high-water marks. */
#include "base/log.h"
#include "base/text.h"
#include "manager.h"

void manager_note(Manager *manager, HistoryOutcome outcome, const char *version,
                  const UpdateFailure *failure)
{
        const HistoryEntry entry = {
                .when = now_realtime() / USEC_PER_SEC,
                .count = 1,
                .outcome = outcome,
                .code = failure ? omaha_error_number(failure) : 0,
                .version = (char *)(version ? version : ""),
                .text = (char *)(failure ? update_failure_text(failure) : ""),
        };
        int r = history_add(manager->root, &entry);

        if (r < 0)
                (void)log_warning_errno(r, HISTORY_PATH " can not be written: %m");
}

/* What waits for its reboot, as long as it does. */
void manager_write_metrics(Manager *manager)
{
        const char *staged = manager->state.staged_version;
        bool waits = manager->report.status == UPDATE_STATUS_UPDATED_NEED_REBOOT;
        int r;

        if (!manager->config.metrics_file)
                return;
        manager->metrics.version = manager->host.version;
        manager->metrics.staged = waits && staged ? staged : "";
        manager->metrics.last_check = (uint64_t)manager->report.last_checked;
        r = metrics_write(&manager->metrics, manager->root, manager->config.metrics_file);
        if (r < 0)
                (void)log_warning_errno(r, "METRICS_FILE %s can not be written: %m",
                                        manager->config.metrics_file);
}

/*
 * What is good raises the high-water marks. Where downgrades are allowed they follow the version that runs, so that
 * the next channel's updates are not measured by the last one's.
 */
void manager_raise_marks(Manager *manager)
{
        State *state = &manager->state;
        const char *version = manager->host.version;
        bool higher =
                !state->highest_version || version_compare(version, state->highest_version) > 0;
        int r = 0;

        if (!slots_running_is_good(&manager->slots))
                return;
        if (streq_null(state->staged_version, version))
                text_clear(&state->retries); /* it took its time, and is there */
        if (higher || manager->config.downgrade)
                r = text_set(&state->highest_version, version);
        if (r >= 0 && state->staged_made && streq_null(state->staged_version, version)
            && is_empty(state->staged_boot_id)) {
                free(state->good_made);
                state->good_made = TAKE_PTR(state->staged_made);
        }
        if (r < 0)
                (void)log_warning_errno(r, "raising the high-water mark: %m");
        manager_save_state(manager);
}

void manager_note_good(Manager *manager, const char *label)
{
        const GptPartition *slot = &manager->slots.gpt.partitions[manager->slots.running];

        journal_tell(JOURNAL_GOOD,
                     &(JournalFields) { .version = manager->host.version, .slot = slot_name(slot) },
                     "version %s runs from slot %s and is marked good", manager->host.version,
                     label);
        manager_note(manager, HISTORY_GOOD, manager->host.version, NULL);
}
