#include "base/log.h"
#include "base/text.h"
#include "manager.h"

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

int manager_settle_state(Manager *manager)
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
