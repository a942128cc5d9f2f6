/* The last questions before the new slot may boot: is its image, is the administrator content with it? */
#include "attempt-stages.h"
#include "base/disk-io.h"

static void on_end(int error, const UpdateFailure *failure, void *userdata)
{
        Attempt *attempt = userdata;

        if (error < 0)
                error = update_failure_set(&attempt->failure, error, failure->code, "%s",
                                           update_failure_text(failure));
        attempt->postinst = postinst_cancel(attempt->postinst);
        attempt_stage_done(attempt, error < 0 ? error : 1);
}

/* What programs are told the slot is: the partition, or the disk image that it is in. */
static int slot_device(const Slots *slots, char **ret)
{
        return slots->gpt.is_file
                       ? text_set(ret, slots->gpt.path)
                       : gpt_partition_path(&slots->gpt,
                                            slots->gpt.partitions[slots->target].number, ret);
}

int attempt_postinst(Attempt *attempt)
{
        const AttemptContext *context = &attempt->context;
        _cleanup_free_ char *device = NULL;
        /* Behind the image there may be what is left of another one: not a part of this. */
        bool known = attempt->image > 0 && attempt->image <= attempt->target.size;
        int r;

        /* They see what is on the medium: the worker has synced it, and there is nothing else to be seen. */
        r = disk_io()->sync_data(attempt->target.fd);
        if (r >= 0)
                r = slot_device(&attempt->slots, &device);
        if (r >= 0)
                r = postinst_start(
                        context->event,
                        &(PostinstRequest) {
                                .root = context->root,
                                .program = context->postinst,
                                .slot_fd = attempt->target.fd,
                                .slot_offset = attempt->target.offset,
                                .slot_size = known ? attempt->image : attempt->target.size,
                                .device = device,
                                .slot = attempt_slot_name(attempt),
                                .version = attempt->plan.version,
                                .previous = context->host->version,
                                .transport = &context->config->transport,
                                .own = context->config->postinst,
                                .time_limit = context->config->postinst_time,
                                .on_end = on_end,
                                .userdata = attempt,
                        },
                        &attempt->postinst);
        if (r < 0)
                return update_failure_set(&attempt->failure, r, UPDATE_ERROR_POSTINST,
                                          "starting the programs that have a say before the new "
                                          "version is activated: %s",
                                          strerror(-r));
        return 0;
}
