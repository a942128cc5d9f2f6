#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/text.h"
#include "channel.h"
#include "manager.h"

int manager_cancel(Manager *manager, UpdateFailure *failure)
{
        int r = -EALREADY;

        if (manager->attempt && manager->attempt->kind != ATTEMPT_PING)
                r = attempt_cancel(manager->attempt);
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_GENERIC,
                                          "no update is under way that could be cancelled");

        log_notice("the update that is under way is cancelled");
        return 0;
}

static int manager_refuse_busy(UpdateFailure *failure)
{
        return update_failure_set(
                failure, -EBUSY, UPDATE_ERROR_GENERIC,
                "an update is under way, or waits for its reboot; \"cancel\" ends "
                "the one, \"reset-status\" the other");
}

/* Only a regular file has an end, and never keeps its reader waiting. */
static int payload_check(int fd, UpdateFailure *failure)
{
        struct stat status;
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || fstat(fd, &status) < 0)
                return update_failure_set(failure, -errno, UPDATE_ERROR_GENERIC,
                                          "the payload can not be used: %s", strerror(errno));
        if (!S_ISREG(status.st_mode) || (flags & O_ACCMODE) == O_WRONLY || flags & O_PATH)
                return update_failure_set(failure, -EINVAL, UPDATE_ERROR_GENERIC,
                                          "the payload must be a regular file that may be read");
        if (status.st_size == 0)
                return update_failure_set(failure, -ENODATA, UPDATE_ERROR_PAYLOAD_SIZE,
                                          "the payload is empty");
        return 0;
}

int manager_install(Manager *manager, const char *url, int fd, UpdateFailure *failure)
{
        _cleanup_close_ int copy = -1;
        int r;

        if (url && !http_url_is_valid(url))
                return update_failure_set(failure, -EINVAL, UPDATE_ERROR_GENERIC,
                                          "an http:// or https:// URL is wanted");
        r = url ? 0 : payload_check(fd, failure);
        if (r < 0)
                return r;
        if (!url) {
                copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
                if (copy < 0)
                        return -errno;
        }

        r = manager_attempt(manager, ATTEMPT_INSTALL);
        if (r == -EBUSY && manager_is_on_trial(manager))
                return manager_refuse_on_trial(manager, failure);
        if (r == -EBUSY)
                return manager_refuse_busy(failure);
        if (r < 0)
                return r;
        r = attempt_set_source(manager->attempt, url, copy);
        if (r < 0) {
                manager->attempt = attempt_free(manager->attempt);
                return r;
        }

        TAKE_FD(copy);
        return 0;
}

/* Is there a version to go back to? */
static int rollback_check(const Manager *manager, UpdateFailure *failure)
{
        const Slots *slots = &manager->slots;
        const GptPartition *target;

        if (slots->gpt.n_partitions == 0 || slots->target == SLOT_NONE)
                return update_failure_set(failure, -ENODEV, UPDATE_ERROR_SLOTS, "%s",
                                          slots->gpt.n_partitions == 0
                                                  ? "the slots can not be told; the log says why"
                                                  : update_failure_text(&slots->why_no_target));
        target = &slots->gpt.partitions[slots->target];
        if (!slots->target_state.good)
                return update_failure_set(
                        failure, -ENOENT, UPDATE_ERROR_SLOTS,
                        "slot %s holds nothing that ever was good, so there is no "
                        "version to go back to",
                        target->label);
        return 0;
}

/*
 * What the state says after a rollback: the other slot is staged, and the version that runs is not installed again
 * by itself.
 */
static int rollback_note(Manager *manager)
{
        State *state = &manager->state;
        const GptPartition *target = &manager->slots.gpt.partitions[manager->slots.target];
        char **version = state_slot_version(state, slot_name(target));
        int r;

        r = text_set(&state->staged_version, version && *version ? *version : "");
        if (r >= 0)
                r = text_set(&state->staged_boot_id, manager->host.boot_id);
        if (r >= 0)
                r = text_set(&state->previous_version, manager->host.version);
        if (r >= 0)
                r = text_set(&state->failed_version, manager->host.version);
        if (r < 0)
                return r;
        text_clear(&state->staged_sha256);
        text_clear(&state->staged_size);
        text_clear(&state->failed_sha256);
        return state_write(manager->root, state);
}

/* On trial as a new version is, as long as there is another good slot to fall back to. */
static unsigned rollback_tries(const Manager *manager)
{
        return slots_running_is_good(&manager->slots) ? manager->config.slots.tries : 0;
}

/* The note comes first, as with an update: after a crash between the two the table says that nothing happened. */
static int rollback_write(Manager *manager, UpdateFailure *failure)
{
        const char *why;
        int r;

        r = rollback_note(manager);
        if (r >= 0)
                r = slots_activate_target(&manager->slots, NULL, rollback_tries(manager));
        if (r >= 0)
                return 0;

        why = slots_why(&manager->slots, r);
        state_unstage(&manager->state);
        text_clear(&manager->state.failed_version);
        manager_save_state(manager);
        manager_read_slots(manager);
        return update_failure_set(failure, r, UPDATE_ERROR_ACTIVATE,
                                  "making the other slot the next one to boot: %s", why);
}

int manager_rollback(Manager *manager, UpdateFailure *failure)
{
        static const char *const changed[] = { "Slots", "Trial", NULL };
        const char *label;
        int r;

        if ((manager->attempt && manager->attempt->kind != ATTEMPT_PING)
            || manager->report.status == UPDATE_STATUS_UPDATED_NEED_REBOOT)
                return manager_refuse_busy(failure);

        r = manager_read_settings(manager);
        if (r < 0)
                return r;
        manager_read_slots(manager);
        r = rollback_check(manager, failure);
        if (r >= 0)
                r = rollback_write(manager, failure);
        if (r < 0)
                return r;

        manager->trial = trial_free(manager->trial); /* it has been decided */
        text_clear(&manager->ill);
        label = manager->slots.gpt.partitions[manager->slots.target].label;
        journal_tell(JOURNAL_ROLLED_BACK, &(JournalFields) { .version = manager->host.version },
                     "rolled back: slot %s with version %s boots next, and version %s is not "
                     "installed again until \"update-engine-client reset-status\"",
                     label,
                     *manager->state.staged_version ? manager->state.staged_version : "unknown",
                     manager->host.version);
        manager_note(manager, HISTORY_ROLLED_BACK, manager->state.staged_version, NULL);
        r = manager_set_report(manager, UPDATE_STATUS_UPDATED_NEED_REBOOT,
                               manager->state.staged_version, 0);
        manager_write_metrics(manager);
        manager_emit_changed(manager, changed);
        manager_tell(manager, true);
        return r;
}

int manager_set_channel(Manager *manager, const char *channel, UpdateFailure *failure)
{
        static const char *const changed[] = { "Channel", "Settings", NULL };
        _cleanup_free_ char *why = NULL;
        int r;

        if (!channel_is_valid(channel))
                return update_failure_set(
                        failure, -EINVAL, UPDATE_ERROR_GENERIC,
                        "a channel is a word of letters, digits and \"._-\", of at "
                        "most 128 bytes");
        r = channel_write(manager->root, channel, &why);
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_GENERIC,
                                          "writing GROUP into update.conf: %s",
                                          why ? why : strerror(-r));
        log_notice("the channel is %s from now on", channel);
        /* An attempt that is under way keeps the settings that it began with. */
        r = manager->attempt ? 0 : manager_read_settings(manager);
        manager_emit_changed(manager, changed);
        return r;
}

int manager_set_paused(Manager *manager, bool paused, UpdateFailure *failure)
{
        static const char *const changed[] = { "Paused", NULL };
        State *state = &manager->state;
        int r;

        if (paused == (state->paused != NULL))
                return 0;
        r = text_set(&state->paused, paused ? "1" : NULL);
        if (r >= 0)
                r = state_write(manager->root, state);
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_GENERIC,
                                          STATE_PATH " can not be written: %s", strerror(-r));

        log_notice("checks by schedule are %s", paused ? "paused" : "resumed");
        manager_emit_changed(manager, changed);
        return 0;
}
