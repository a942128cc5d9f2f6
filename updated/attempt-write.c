#include <sys/stat.h>

#include "attempt-stages.h"
#include "base/disk-io.h"
#include "base/log.h"
#include "base/text.h"
#include "journal.h"
#include "keys.h"
#include "resume-file.h"
#include "version.h"

static VersionPolicy attempt_policy(const Attempt *attempt)
{
        const AttemptContext *context = &attempt->context;

        return (VersionPolicy) {
                .running = context->host->version,
                .highest = context->state->highest_version,
                .minimum = context->config->minimum_version,
                .downgrade = context->config->downgrade,
        };
}

/* A clock that was set back must not make what has expired valid again. */
static void attempt_set_times(Attempt *attempt)
{
        const AttemptContext *context = &attempt->context;
        uint64_t clock = now_realtime() / USEC_PER_SEC;
        uint64_t trusted = state_time(context->state->trusted_time);

        attempt->plan.now = MAX_OF(MAX_OF(clock, trusted), (uint64_t)SLUICE_TIME);
        attempt->plan.made_min =
                context->config->downgrade ? 0 : state_time(context->state->good_made);
}

int attempt_decide(Attempt *attempt)
{
        const AttemptContext *context = &attempt->context;
        const PlanHistory history = {
                .policy = attempt_policy(attempt),
                .failed_sha256 = context->state->failed_sha256,
                .failed_version = context->state->failed_version,
        };
        int r;

        if (attempt->response.verdict == OMAHA_UPDATE) {
                r = slots_read(context->root, &context->config->slots, &attempt->slots,
                               &attempt->failure);
                if (r < 0)
                        return r;
        }

        r = plan_decide(&attempt->response, &attempt->slots, &history, &attempt->plan,
                        &attempt->reason, &attempt->failure);
        if (r > 0)
                r = attempt_heed_retries(attempt);
        if (r == 0 && !attempt->reason)
                r = attempt_plan_packages(attempt);
        return r < 0 ? r : 1;
}

int attempt_take_source(Attempt *attempt)
{
        struct stat status = {};
        int r;

        r = slots_read(attempt->context.root, &attempt->context.config->slots, &attempt->slots,
                       &attempt->failure);
        if (r < 0)
                return r;
        r = attempt->url ? 0 : RET_ERRNO(fstat(attempt->payload_fd, &status));
        if (r < 0)
                return r;
        r = plan_install(&attempt->slots, attempt->url, (uint64_t)status.st_size, &attempt->plan,
                         &attempt->failure);
        return r < 0 ? r : 1;
}

/* Nobody knows any more what is in the target. A state that can not be written is found out before the disk changes. */
static int attempt_forget_version(Attempt *attempt)
{
        const AttemptContext *context = &attempt->context;
        const GptPartition *slot = &attempt->slots.gpt.partitions[attempt->slots.target];
        char **version = state_slot_version(context->state, slot_name(slot));
        int r;

        if (version)
                text_clear(version);
        r = state_write(context->root, context->state);
        if (r < 0)
                return update_failure_set(&attempt->failure, r, UPDATE_ERROR_GENERIC,
                                          STATE_PATH " can not be written, so no update begins: %s",
                                          strerror(-r));
        return 0;
}

/* From here on the target is no way back any more, and no boot loader may take it for one. */
static int attempt_make_unselectable(Attempt *attempt)
{
        int r;

        r = slots_make_target_unselectable(&attempt->slots);
        if (r < 0)
                return update_failure_set(
                        &attempt->failure, r, UPDATE_ERROR_TARGET_WRITE,
                        "%s: making slot %s unselectable before it is written: %s",
                        attempt->slots.place,
                        attempt->slots.gpt.partitions[attempt->slots.target].label,
                        slots_why(&attempt->slots, r));

        attempt->slots_changed = true;
        return 0;
}

static void on_worker_stage(WorkerStage stage, void *userdata)
{
        if (stage == WORKER_STAGE_VERIFY)
                attempt_set_status(userdata, UPDATE_STATUS_FINALIZING);
}

static void attempt_tell_resumed(Attempt *attempt)
{
        uint64_t resumed = worker_facts(attempt->worker)->resumed;

        if (resumed == attempt->resumed)
                return;
        attempt->resumed = resumed;
        journal_tell(JOURNAL_RESUMED,
                     &(JournalFields) { .version = attempt->plan.version,
                                        .stage = update_status_to_string(attempt->status) },
                     "the download goes on at byte %llu", (unsigned long long)resumed);
}

/* What an earlier attempt wrote into this slot is still of use. */
static void attempt_tell_continued(Attempt *attempt)
{
        uint64_t continued = worker_facts(attempt->worker)->continued;
        bool told = attempt->continued == continued;

        attempt->continued = continued;
        if (!told && continued > 0)
                attempt->hooks.on_continued(attempt, attempt->hooks.userdata);
}

static void on_worker_progress(uint64_t bytes, void *userdata)
{
        Attempt *attempt = userdata;

        attempt_tell_continued(attempt);
        attempt_tell_resumed(attempt);
        if (attempt->plan.size == 0)
                attempt->plan.size = worker_facts(attempt->worker)->size;
        attempt->bytes = MIN_OF(bytes, attempt->plan.size);
        if (attempt->status == UPDATE_STATUS_UPDATE_AVAILABLE)
                attempt_set_status(attempt, UPDATE_STATUS_DOWNLOADING);
        else
                attempt->hooks.on_change(attempt, attempt->hooks.userdata);
}

/*
 * The time is not before the one at which a verified payload was made. Our own clock is believed when the payload
 * agrees with it, and only then: a clock that once was wrong must not let everything expire for ever.
 */
static int attempt_learn_time(Attempt *attempt, const WorkerFacts *facts)
{
        State *state = attempt->context.state;
        uint64_t clock = now_realtime() / USEC_PER_SEC;
        bool agreed = facts->made > 0 && facts->made <= clock && clock < facts->expires;
        int r;

        r = state_set_time(&state->staged_made, facts->made);
        return r < 0 ? r : state_trust_time(state, agreed ? clock : facts->made);
}

/* Everything is written and verified. What nobody announced is known now. */
static int attempt_take_facts(Attempt *attempt, const WorkerFacts *facts)
{
        const VersionPolicy policy = attempt_policy(attempt);
        int r = 0;

        if (!*attempt->plan.version && facts->version)
                r = text_set(&attempt->plan.version, facts->version);
        if (r >= 0)
                r = version_policy_check(&policy, attempt->plan.version, &attempt->failure);
        if (r >= 0)
                r = attempt_learn_time(attempt, facts);
        if (r < 0)
                return r;

        attempt->image = facts->image;
        journal_tell(JOURNAL_VERIFIED,
                     &(JournalFields) { .version = attempt->plan.version,
                                        .slot = attempt_slot_name(attempt) },
                     "everything is written to slot %s, signed by a trusted key, and reads back as "
                     "it should",
                     attempt_slot_name(attempt));
        attempt_report(attempt, OMAHA_EVENT_DOWNLOAD_FINISHED, OMAHA_RESULT_SUCCESS);
        return 0;
}

static void on_worker_end(int error, const UpdateFailure *failure, void *userdata)
{
        Attempt *attempt = userdata;

        if (error < 0)
                error = update_failure_set(&attempt->failure, error, failure->code, "%s",
                                           update_failure_text(failure));
        attempt->whole = error >= 0;
        attempt_judge_urls(attempt, worker_facts(attempt->worker));
        if (error >= 0)
                error = attempt_take_facts(attempt, worker_facts(attempt->worker));
        attempt->worker = worker_free(attempt->worker);
        attempt_stage_done(attempt, error < 0 ? error : 1);
}

/* Everything that can be refused before the target is touched is refused here. */
int attempt_prepare(Attempt *attempt)
{
        int r;

        r = slots_open_target(&attempt->slots, &attempt->target, &attempt->failure);
        if (r >= 0)
                r = boot_check_writable(&attempt->slots, &attempt->failure);
        if (r < 0)
                return r;
        attempt->plan.target_offset = attempt->target.offset;
        attempt->plan.target_size = attempt->target.size;
        return 1;
}

static int attempt_set_transport(Attempt *attempt)
{
        const Transport *transport = &attempt->context.config->transport;

        if (transport->broken)
                return update_failure_set(&attempt->failure, -ENOKEY, UPDATE_ERROR_SETTINGS, "%s",
                                          transport->broken);
        return transport_copy(transport, &attempt->plan.transport);
}

/*
 * Before the target is touched, so that what is known of it is gone before it becomes wrong. Where nothing can be
 * noted, an interruption means a new beginning, and nothing worse.
 */
static void attempt_open_checkpoint(Attempt *attempt)
{
        const GptPartition *slot = &attempt->slots.gpt.partitions[attempt->slots.target];
        bool lost = false;
        int r;

        if (!attempt->plan.announced)
                return;
        r = resume_file_open(attempt->context.root, &attempt->plan, slot->uuid,
                             &attempt->checkpoint_fd, &lost);
        if (lost)
                log_info("an update that was interrupted is not gone on with: " RESUME_PATH
                         " is of another payload or another slot, or damaged");
        if (r < 0)
                (void)log_warning_errno(r,
                                        "an interruption of this update will mean a new beginning: "
                                        "%s: %m",
                                        RESUME_PATH);
        else
                attempt->plan.checkpoint = RESUME_OFFSET;
}

/* A user of the host means nothing to another root. */
const char *attempt_worker_user(const Attempt *attempt)
{
        return is_empty(attempt->context.root) ? attempt->context.config->worker_user : NULL;
}

/* Forgets what is in the target, and keeps boot loaders away from it: then it may be written. */
static int attempt_give_up_target(Attempt *attempt)
{
        int r;

        r = attempt_forget_version(attempt);
        if (r < 0)
                return r;
        attempt_open_checkpoint(attempt);
        r = attempt_make_unselectable(attempt);
        if (r >= 0)
                r = boot_kernel_open(&attempt->slots, &attempt->kernel, &attempt->failure);
        if (r >= 0)
                attempt->plan.kernel_size_max = attempt->kernel.size_max;
        return r;
}

int attempt_fetch(Attempt *attempt)
{
        const WorkerHooks hooks = {
                .on_stage = on_worker_stage,
                .on_progress = on_worker_progress,
                .on_end = on_worker_end,
                .userdata = attempt,
        };
        _cleanup_free_ char *plan = NULL, *keys = NULL;
        WorkerParameters parameters;
        int r;

        r = keys_read(attempt->context.root, &keys, &attempt->failure);
        if (r < 0)
                return r;
        attempt_set_times(attempt);
        r = attempt_set_transport(attempt);
        if (r >= 0)
                r = attempt_give_up_target(attempt);
        if (r >= 0)
                r = update_plan_print(&attempt->plan, &plan);
        if (r < 0)
                return r;

        attempt_report(attempt, OMAHA_EVENT_DOWNLOAD_STARTED, OMAHA_RESULT_SUCCESS);
        parameters = (WorkerParameters) {
                .program = attempt->context.worker,
                .user = attempt_worker_user(attempt),
                .plan = plan,
                .keys = keys,
                .target_fd = attempt->target.fd,
                .payload_fd = MAX_OF(attempt->payload_fd, 0),
                .checkpoint_fd = MAX_OF(attempt->checkpoint_fd, 0),
                .kernel_fd = MAX_OF(attempt->kernel.fd, 0),
                .kernel_size_max = attempt->plan.kernel_size_max,
        };
        return worker_start(attempt->context.event, &parameters, &hooks, &attempt->worker);
}

/*
 * Written before the boot loader is told: after a crash between the two the daemon finds the note, and sees in
 * the partition table whether it came true.
 */
static int attempt_note_staged(Attempt *attempt)
{
        const AttemptContext *context = &attempt->context;
        const GptPartition *slot = &attempt->slots.gpt.partitions[attempt->slots.target];
        State *state = context->state;
        char **version = state_slot_version(state, slot_name(slot));
        _cleanup_free_ char *sha256 = NULL, *size = NULL;
        int r;

        if (text_format(&size, "%llu", (unsigned long long)attempt->plan.size) < 0)
                return -ENOMEM;
        r = attempt->plan.announced ? hex_encode(attempt->plan.sha256, SHA256_SIZE, &sha256) : 0;
        if (r >= 0)
                r = text_set(&state->staged_version, attempt->plan.version);
        if (r >= 0)
                r = text_set(&state->staged_sha256, sha256);
        if (r >= 0)
                r = text_set(&state->staged_size, size);
        if (r >= 0)
                r = text_set(&state->staged_boot_id, context->host->boot_id);
        if (r >= 0)
                r = text_set(&state->previous_version, context->host->version);
        if (r >= 0 && version)
                r = text_set(version, attempt->plan.version);
        if (r < 0)
                return r;

        text_clear(&state->left_version); /* another trial */
        return state_write(context->root, state);
}

/* The table may be half written: try once more to keep every boot loader away from the target. */
static int attempt_activate_undo(Attempt *attempt, int error)
{
        state_unstage(attempt->context.state);
        if (slots_make_target_unselectable(&attempt->slots) < 0
            || state_write(attempt->context.root, attempt->context.state) < 0)
                log_warning(
                        "taking back the activation failed as well; the next start of the daemon "
                        "tries again");

        return update_failure_set(&attempt->failure, error, UPDATE_ERROR_ACTIVATE,
                                  "%s: making the new slot the next one to boot: %s",
                                  attempt->slots.place, slots_why(&attempt->slots, error));
}

/* If it stays, no harm is done: it counts for this payload in this slot only, as far as the slot reads back. */
static void attempt_remove_checkpoint(Attempt *attempt)
{
        int r;

        if (attempt->checkpoint_fd < 0)
                return;
        attempt->checkpoint_fd = close_fd(attempt->checkpoint_fd);
        r = resume_file_remove(attempt->context.root);
        if (r < 0)
                (void)log_warning_errno(r, "removing " RESUME_PATH ": %m");
}

int attempt_activate(Attempt *attempt)
{
        int r;

        /* The worker has synced what it wrote; this is the last moment to learn that the disk lied. */
        r = disk_io()->sync_data(attempt->target.fd);
        if (r < 0)
                return update_failure_set(&attempt->failure, r, UPDATE_ERROR_TARGET_WRITE,
                                          "syncing the target slot: %s", strerror(-r));
        attempt->target.fd = close_fd(attempt->target.fd);
        r = boot_kernel_commit(&attempt->kernel, &attempt->failure);
        if (r < 0)
                return r;

        r = attempt_note_staged(attempt);
        if (r < 0) {
                state_unstage(attempt->context.state);
                return update_failure_set(&attempt->failure, r, UPDATE_ERROR_ACTIVATE,
                                          "%s can not be written, so the update is not activated: "
                                          "%s",
                                          STATE_PATH, strerror(-r));
        }
        r = slots_activate_target(&attempt->slots, attempt->plan.version,
                                  attempt->context.config->slots.tries);
        if (r < 0)
                return attempt_activate_undo(attempt, r);

        attempt_remove_checkpoint(attempt);
        attempt_report(attempt, OMAHA_EVENT_UPDATE_COMPLETE, OMAHA_RESULT_SUCCESS);
        return 1;
}
