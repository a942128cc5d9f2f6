/* What is kept of what happened: history, metrics, high-water marks. */
#include "base/buffer.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "event-queue.h"
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

/* With what came beside it: "with oem-qemu, flatcar-podman". */
void manager_note_staged(Manager *manager, const Attempt *attempt)
{
        _cleanup_(update_failure_done) UpdateFailure note = {};
        _cleanup_(buffer_done) Buffer text = BUFFER_MAX(HISTORY_TEXT_MAX);
        const PackagePlan *packages = &attempt->packages;
        int r = 0;

        for (size_t i = 0; i < packages->n_items && r >= 0; i++)
                r = buffer_appendf(&text, "%s%s", i == 0 ? "with " : ", ", packages->items[i].name);
        if (r >= 0 || r == -EFBIG)
                r = buffer_take_text(&text, &note.text, NULL);
        manager_note(manager, HISTORY_STAGED, attempt->plan.version, r < 0 ? NULL : &note);
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

/* May a boot loader take the other slot? It does only what is good, or has a try left. */
static bool target_may_boot(const Slots *slots)
{
        const BootState *state = &slots->target_state;

        return slots->target != SLOT_NONE && state->priority > 0
               && (state->good || state->tries > 0);
}

/* Removes the images of versions that no bootable slot holds; none, if the version of a bootable slot is not known. */
static void manager_collect_packages(Manager *manager)
{
        const Slots *slots = &manager->slots;
        char *kept[] = { manager->host.version, NULL };
        const TextList keep = { .items = kept, .n_items = ELEMENTSOF(kept) };
        char **other = NULL;
        int r;

        if (!host_version_is_known(&manager->host))
                return;
        if (target_may_boot(slots)) {
                other = state_slot_version(&manager->state,
                                           slot_name(&slots->gpt.partitions[slots->target]));
                if (!other || is_empty(*other))
                        return;
        }
        kept[1] = other ? *other : manager->host.version;
        r = packages_collect(manager->root, &keep);
        if (r < 0)
                (void)log_warning_errno(r, "removing images of packages that no slot needs: %m");
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
        manager_collect_packages(manager);
}

void manager_sweep(const Manager *manager)
{
        static const char *const directories[] = { "/var/lib/updated", EVENT_QUEUE_PATH,
                                                   "/etc/coreos", "/etc/flatcar", NULL };
        int r = temporaries_sweep(manager->root, directories, now_realtime() / USEC_PER_SEC);

        if (r < 0)
                (void)log_warning_errno(r, "removing what a power cut left: %m");
        else if (r > 0)
                log_info("%d files that a power cut left half written are removed", r);
}
