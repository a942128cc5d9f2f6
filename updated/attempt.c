#include "attempt.h"
#include "attempt-stages.h"
#include "base/log.h"
#include "base/text.h"
#include "omaha-request.h"

/* Which attempts a stage belongs to. */
enum {
        OFFERED = 1 << 0,   /* by a server */
        INSTALLED = 1 << 1, /* by an operator */
        ALL = OFFERED | INSTALLED,
};

static const struct {
        UpdateStatus status;
        int of;
        /* 0: goes on later, with attempt_stage_done(); 1: done at once; -errno: failed, attempt->failure says why */
        int (*start)(Attempt *attempt);
} stages[] = {
        { UPDATE_STATUS_CHECKING_FOR_UPDATE, OFFERED, attempt_flush_events },
        { UPDATE_STATUS_CHECKING_FOR_UPDATE, OFFERED, attempt_ask },
        { UPDATE_STATUS_CHECKING_FOR_UPDATE, OFFERED, attempt_decide },
        { UPDATE_STATUS_CHECKING_FOR_UPDATE, INSTALLED, attempt_take_source },
        { UPDATE_STATUS_UPDATE_AVAILABLE, ALL, attempt_prepare },
        { UPDATE_STATUS_UPDATE_AVAILABLE, ALL, attempt_fetch },
        { UPDATE_STATUS_FINALIZING, OFFERED, attempt_packages },
        { UPDATE_STATUS_FINALIZING, ALL, attempt_postinst },
        { UPDATE_STATUS_FINALIZING, ALL, attempt_activate },
};

const char *attempt_slot_name(const Attempt *attempt)
{
        const Slots *slots = &attempt->slots;

        return slots->target == SLOT_NONE ? NULL : slot_name(&slots->gpt.partitions[slots->target]);
}

uint64_t attempt_total(const Attempt *attempt)
{
        return attempt->plan.size > 0 ? attempt->plan.size + attempt->packages.size : 0;
}

void attempt_set_status(Attempt *attempt, UpdateStatus status)
{
        if (attempt->status == status)
                return;
        attempt->status = status;
        attempt->hooks.on_change(attempt, attempt->hooks.userdata);
}

static int on_end(_unused_ sd_event_source *source, void *userdata)
{
        Attempt *attempt = userdata;
        AttemptOutcome outcome = attempt->failure.code != UPDATE_ERROR_NONE ? ATTEMPT_FAILED
                                 : attempt->reason                          ? ATTEMPT_NOTHING
                                                                            : ATTEMPT_STAGED;

        attempt->hooks.on_end(attempt, outcome, attempt->hooks.userdata);
        return 0;
}

/* From the event loop, so that nobody frees the attempt under our feet. */
static void attempt_end(Attempt *attempt)
{
        int r;

        attempt->timer = sd_event_source_disable_unref(attempt->timer);
        r = sd_event_add_defer(attempt->context.event, &attempt->timer, on_end, attempt);
        if (r < 0)
                (void)sd_event_exit(attempt->context.event, r); /* it would never end */
}

static void on_failure_told(_unused_ bool delivered, void *userdata)
{
        attempt_end(userdata);
}

/* A server that does not answer takes no event either. */
static bool failure_is_reported(const UpdateFailure *failure)
{
        return failure->code != UPDATE_ERROR_NO_ANSWER;
}

static void attempt_fail(Attempt *attempt, int error)
{
        int r = 0;

        if (attempt->failure.code == UPDATE_ERROR_NONE)
                (void)update_failure_set(&attempt->failure, error, UPDATE_ERROR_GENERIC, "%s",
                                         strerror(-error));
        attempt->stage = -1;
        attempt_note_retries(attempt);
        attempt_set_status(attempt, UPDATE_STATUS_REPORTING_ERROR_EVENT);

        if (failure_is_reported(&attempt->failure)) {
                attempt_report_failure(attempt,
                                       attempt->failure.code == UPDATE_ERROR_POLICY
                                               ? OMAHA_RESULT_DEFERRED
                                               : OMAHA_RESULT_ERROR,
                                       &attempt->failure);
                r = reporter_flush(attempt->context.reporter, on_failure_told, attempt);
        }
        if (r <= 0)
                attempt_end(attempt);
}

/* The next stage that belongs to this attempt; ELEMENTSOF(stages): it was the last. */
static int attempt_next_stage(const Attempt *attempt)
{
        int of = attempt->kind == ATTEMPT_INSTALL ? INSTALLED : OFFERED, stage = attempt->stage + 1;

        while (stage < (int)ELEMENTSOF(stages) && !(stages[stage].of & of))
                stage++;
        return stage;
}

void attempt_stage_done(Attempt *attempt, int r)
{
        while (r > 0 && !attempt->reason) {
                bool asked = attempt->stage >= 0 && stages[attempt->stage].start == attempt_ask;

                if (attempt->kind == ATTEMPT_PING && asked) {
                        r = text_set(&attempt->reason, "an update waits for its reboot");
                        break;
                }
                attempt->stage = attempt_next_stage(attempt);
                if (attempt->stage < (int)ELEMENTSOF(stages)) {
                        attempt_set_status(attempt, stages[attempt->stage].status);
                        r = stages[attempt->stage].start(attempt);
                } else
                        break;
        }

        if (r < 0)
                attempt_fail(attempt, r);
        else if (r > 0 || attempt->reason)
                attempt_end(attempt);
}

static int on_begin(_unused_ sd_event_source *source, void *userdata)
{
        attempt_stage_done(userdata, 1);
        return 0;
}

int attempt_new(const AttemptContext *context, AttemptKind kind, const AttemptHooks *hooks,
                Attempt **ret)
{
        _cleanup_(attempt_free_p) Attempt *attempt = calloc(1, sizeof(Attempt));
        int r;

        if (!attempt)
                return -ENOMEM;

        *attempt = (Attempt) {
                .context = *context,
                .hooks = *hooks,
                .kind = kind,
                .stage = -1,
                .status = UPDATE_STATUS_IDLE,
                .slots = { .running = SLOT_NONE, .target = SLOT_NONE },
                .payload_fd = -1,
                .package_fd = -1,
                .target = { .fd = -1 },
                .checkpoint_fd = -1,
                .kernel = BOOT_KERNEL_NONE,
        };
        r = sd_event_add_defer(context->event, &attempt->timer, on_begin, attempt);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(attempt);
        return 0;
}

int attempt_set_source(Attempt *attempt, const char *url, int fd)
{
        int r;

        r = text_set(&attempt->url, url);
        if (r < 0)
                return r;

        attempt->payload_fd = fd;
        return 0;
}

/* Nothing that is under way calls back any more. */
static void attempt_stop(Attempt *attempt)
{
        reporter_forget(attempt->context.reporter);
        attempt->worker = worker_free(attempt->worker);
        attempt->package_digest = digest_file_free(attempt->package_digest);
        attempt->postinst = postinst_cancel(attempt->postinst);
        attempt->request = http_cancel(attempt->request);
        attempt->timer = sd_event_source_disable_unref(attempt->timer);
}

int attempt_cancel(Attempt *attempt)
{
        if (attempt->failure.code != UPDATE_ERROR_NONE || attempt->reason
            || attempt->stage >= (int)ELEMENTSOF(stages))
                return -EALREADY;

        attempt_stop(attempt);
        attempt_fail(attempt, update_failure_set(&attempt->failure, -ECANCELED,
                                                 UPDATE_ERROR_CANCELLED, "somebody cancelled it"));
        return 0;
}

Attempt *attempt_free(Attempt *attempt)
{
        if (!attempt)
                return NULL;

        attempt_stop(attempt);
        (void)close_fd(attempt->payload_fd);
        (void)close_fd(attempt->package_fd);
        (void)close_fd(attempt->target.fd);
        (void)close_fd(attempt->checkpoint_fd);
        boot_kernel_done(&attempt->kernel);
        slots_done(&attempt->slots);
        omaha_response_done(&attempt->response);
        update_plan_done(&attempt->plan);
        package_plan_done(&attempt->packages);
        update_failure_done(&attempt->failure);
        free(attempt->reason);
        free(attempt->url);
        free(attempt);
        return NULL;
}
