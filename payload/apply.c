/*
 * Ties the reader to the targets: where each operation goes, and what must hold after the last
 * one.
 */
#include "payload/apply.h"
#include "base/io.h"
#include "payload/error.h"
#include "payload/target.h"

/*
 * So many operations are carried out at once, at most: each has memory. Beside those that a
 * processor works on, two may wait for the disk, and two for the thread that hashes the image.
 */
#define THREADS_MAX      8
#define THREADS_FOR_DISK 2
#define JOBS_TO_HASH     2

#define BUSY_SIZE_MAX (8 * MIB) /* data that waits for a thread; one larger operation is alone */

PayloadApply *payload_apply_free(PayloadApply *apply)
{
        if (!apply)
                return NULL;

        for (size_t i = 0; i < _PARTITION_ROLE_MAX; i++)
                follower_free(apply->parts[i].follower); /* first: they wait for the pool */
        pool_free(apply->pool); /* then its threads, which use everything else */
        for (size_t i = 0; i < _PARTITION_ROLE_MAX; i++) {
                block_map_free(apply->parts[i].written);
                (void)close_fd(apply->parts[i].direct.fd);
        }
        for (size_t i = 0; i < apply->n_jobs; i++) {
                buffer_done(&apply->jobs[i].data);
                operation_output_done(&apply->jobs[i].output);
                payload_error_done(&apply->jobs[i].error);
        }
        free(apply->jobs);
        reader_free(apply->reader);
        text_list_done(&apply->signers);
        free(apply->checkpoint_problem);
        free(apply);
        return NULL;
}

static void apply_job_work(PoolJob *pool_job)
{
        ApplyJob *job = (ApplyJob *)pool_job;

        job->result = operation_run(&job->place, job->operation, (const uint8_t *)job->data.data,
                                    &job->error);
}

static int operation_failed(int r, const Partition *partition, const Operation *operation,
                            PayloadError *error)
{
        payload_error_locate(error, "operation %zu", (size_t)(operation - partition->operations));
        payload_error_locate(error, "%s", partition->name);
        return r;
}

static int target_failed(int r, PayloadError *error)
{
        return payload_fail(error, PAYLOAD_REFUSAL_TARGET_IO, r,
                            "syncing the target and reading it back");
}

/* Waits for the oldest operation in the pool, and until what it wrote has been hashed. */
static int apply_take(PayloadApply *apply, PayloadError *error)
{
        ApplyJob *job = (ApplyJob *)pool_take(apply->pool);
        Part *part = &apply->parts[job->partition->role];
        int r = job->followed ? follower_take(part->follower) : 0;

        apply->n_taken++;
        apply->busy_size -= job->data.size;
        apply->busy_work -= job->work;
        if (job->result < 0) {
                if (error) {
                        payload_error_done(error);
                        *error = job->error;
                        job->error = (PayloadError) {};
                }
                return operation_failed(job->result, job->partition, job->operation, error);
        }

        if (r < 0)
                return target_failed(r, error);
        return resume_advance(apply, &job->mark, job->work, error);
}

/* Waits for everything that is in the pool. */
static int apply_drain(PayloadApply *apply, PayloadError *error)
{
        int r;

        while (apply->n_taken < apply->n_submitted) {
                r = apply_take(apply, error);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* What an operation costs to do again: the bytes that it takes, or that it makes. */
static uint64_t operation_work(const Operation *operation, const OperationPlace *place)
{
        uint64_t made;

        if (place->target->fd < 0)
                return operation->data_length;
        made = operation_target_size(operation, place->image_size, place->block_size);
        return MAX_OF(made, operation->data_length);
}

/* Waits until there is a free job, and this one would not make too much in memory or to lose. */
static int apply_reserve(PayloadApply *apply, size_t size, uint64_t work, PayloadError *error)
{
        int r;

        while (apply->n_submitted - apply->n_taken == apply->n_jobs
               || (apply->n_submitted > apply->n_taken
                   && (apply->busy_size + size > BUSY_SIZE_MAX || resume_must_wait(apply, work)))) {
                r = apply_take(apply, error);
                if (r < 0)
                        return r;
        }

        return 0;
}

static OperationPlace part_place(PayloadApply *apply, Part *part, const Partition *partition)
{
        return (OperationPlace) {
                .target = &part->target,
                .direct = part->direct.fd >= 0 ? &part->direct : NULL,
                .skip_same = apply->parameters.skip_same,
                .image_size = partition->new_image.size,
                .block_size = reader_manifest(apply->reader)->block_size,
                .exact = apply->version == HEADER_VERSION_2,
                .source = &part->source,
                .written = part->written,
                .origin = part->origin,
                .pool = apply->pool,
        };
}

/* A delta of version 1 may write a block again: it is read back at the end. */
static void apply_follow(Part *part, ApplyJob *job)
{
        job->step = (FollowerStep) { .operation = &job->job, .output = &job->output };
        job->followed =
                part->follower && !part->written
                && follower_see(part->follower, job->operation, job->place.block_size, &job->step);
}

static int on_operation(void *userdata, const Partition *partition, const Operation *operation,
                        Buffer *data, PayloadError *error)
{
        PayloadApply *apply = userdata;
        Part *part = &apply->parts[partition->role];
        OperationPlace place = part_place(apply, part, partition);
        uint64_t work = operation_work(operation, &place);
        Buffer exchange;
        ApplyJob *job;
        int r;

        r = apply_reserve(apply, data->size, work, error);
        if (r < 0)
                return r;

        job = &apply->jobs[apply->n_submitted++ % apply->n_jobs];
        job->partition = partition;
        job->operation = operation;
        job->place = place;
        job->place.output = &job->output;
        job->work = work;
        reader_mark(apply->reader, &job->mark);
        exchange = job->data;
        job->data = *data;
        *data = exchange;
        apply->busy_size += job->data.size;
        apply->busy_work += work;
        pool_submit(apply->pool, &job->job);
        apply_follow(part, job);

        /* Without threads it is done; a delta of version 1 works in place, one after the other. */
        return part->written || apply->n_jobs == 1 ? apply_drain(apply, error) : 0;
}

static const ReaderEvents apply_events = {
        .on_metadata = accept_metadata,
        .on_manifest = accept_manifest,
        .on_operation = on_operation,
};

static int apply_start_pool(PayloadApply *apply, unsigned threads)
{
        unsigned busy = MIN_OF(threads, (unsigned)THREADS_MAX - THREADS_FOR_DISK);
        int r;

        threads = threads > 1 ? busy + THREADS_FOR_DISK : 0;
        apply->n_jobs = threads > 0 ? (size_t)threads + JOBS_TO_HASH : 1;
        apply->jobs = calloc(apply->n_jobs, sizeof(*apply->jobs));
        if (!apply->jobs)
                return -ENOMEM;

        r = pool_new(threads, apply_job_work, &apply->pool);
        if (r < 0)
                return r;

        pool_limit(apply->pool, busy);
        return 0;
}

int payload_apply_new(const PayloadApplyParameters *parameters, PayloadApply **ret)
{
        _cleanup_(payload_apply_free_p) PayloadApply *apply = NULL;
        int r;

        if (payload_keys_count(parameters->keys) == 0)
                return -ENOKEY;

        apply = calloc(1, sizeof(*apply));
        if (!apply)
                return -ENOMEM;

        apply->parameters = *parameters;
        if (parameters->sha256) {
                memcpy(apply->announced_sha256, parameters->sha256, SHA256_SIZE);
                apply->parameters.sha256 = apply->announced_sha256;
        }
        for (size_t i = 0; i < _PARTITION_ROLE_MAX; i++)
                apply->parts[i].target = apply->parts[i].direct = PAYLOAD_TARGET_NONE;
        apply->parts[PARTITION_SLOT].target = parameters->target;
        apply->parts[PARTITION_SLOT].base = parameters->base;
        apply->parts[PARTITION_KERNEL].target = parameters->kernel;
        apply->parts[PARTITION_KERNEL].base = parameters->kernel_base;

        r = apply_start_pool(apply, parameters->jobs);
        if (r < 0)
                return r;
        r = reader_new(&apply_events, apply, parameters->sha256, &apply->reader);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(apply);
        return 0;
}

static int announced_hash_check(const PayloadApply *apply, PayloadError *error)
{
        uint8_t sha256[SHA256_SIZE];
        int r;

        if (!apply->parameters.sha256)
                return 0;

        r = reader_file_sha256(apply->reader, sha256);
        if (r < 0)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "hashing the payload");
        if (memcmp(sha256, apply->parameters.sha256, SHA256_SIZE) != 0)
                return payload_refuse(error, PAYLOAD_REFUSAL_HASH,
                                      "the SHA-256 of the whole payload is not the announced one");
        return 0;
}

/* A delta keeps the blocks that no operation wrote: now they come from the base. */
static int part_complete(PayloadApply *apply, Part *part, const Partition *partition,
                         PayloadError *error)
{
        uint64_t n_blocks = blocks_for(partition->new_image.size, part->source.block_size), n;
        OperationPlace place = part_place(apply, part, partition);
        int r;

        place.output = &apply->jobs[0].output; /* nobody else works any more */
        for (uint64_t block = 0; block < n_blocks; block += n) {
                if (block_map_run(part->written, block, n_blocks - block, &n))
                        continue;
                r = operation_keep(&place, &(Extent) { block, n }, error);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int part_finish(PayloadApply *apply, const Partition *partition, PayloadError *error)
{
        Part *part = &apply->parts[partition->role];
        uint8_t sha256[SHA256_SIZE];
        int r;

        if (part->target.fd < 0)
                return 0;
        r = part->written ? part_complete(apply, part, partition, error) : 0;
        if (r < 0)
                return r;
        r = follower_finish(part->follower, sha256);
        if (r < 0)
                return target_failed(r, error);

        if (memcmp(sha256, partition->new_image.sha256, SHA256_SIZE) != 0)
                return payload_refuse(error, PAYLOAD_REFUSAL_TARGET_HASH,
                                      "%s: what was written does not have the SHA-256 of the image",
                                      partition->name);
        return 0;
}

static int parts_finish(PayloadApply *apply, PayloadError *error)
{
        const Manifest *manifest = reader_manifest(apply->reader);
        int r;

        for (size_t i = 0; i < manifest->n_partitions; i++) {
                const Partition *partition = &manifest->partitions[i];

                r = part_finish(apply, partition, error);
                if (r < 0)
                        return r;
        }

        return 0;
}

int payload_apply_push(PayloadApply *apply, const void *data, size_t size, PayloadError *ret_error)
{
        int r;

        r = reader_push(apply->reader, data, size, ret_error);
        if (r == -EBADMSG)
                resume_forget(apply);
        return r;
}

static int apply_finish(PayloadApply *apply, PayloadError *error)
{
        int r;

        r = apply_drain(apply, error);
        if (r < 0)
                return r;
        r = announced_hash_check(apply, error);
        if (r < 0)
                return r;
        r = accept_signatures(apply, error);
        if (r < 0)
                return r;

        return parts_finish(apply, error);
}

int payload_apply_finish(PayloadApply *apply, PayloadError *ret_error)
{
        int r;

        r = reader_finish(apply->reader, ret_error);
        if (r < 0)
                return r; /* the rest may come another time: a checkpoint stays */

        r = apply_finish(apply, ret_error);
        if (r == -EBADMSG)
                resume_forget(apply);
        return r;
}

uint64_t payload_apply_resume_offset(const PayloadApply *apply)
{
        return apply->resume.n_operations > 0 ? reader_skip_end(apply->reader) : 0;
}

int payload_apply_resume(PayloadApply *apply)
{
        if (apply->resume.n_operations == 0 || !reader_jump(apply->reader, &apply->resume))
                return -EINVAL;
        return 0;
}

const char *payload_apply_checkpoint_problem(const PayloadApply *apply)
{
        return apply->checkpoint_problem;
}

uint64_t payload_apply_bytes(const PayloadApply *apply)
{
        return reader_bytes(apply->reader);
}

bool payload_apply_touched(const PayloadApply *apply)
{
        return apply->touched;
}

uint64_t payload_apply_image_size(const PayloadApply *apply)
{
        return apply->slot ? apply->slot->new_image.size : 0;
}

const uint8_t *payload_apply_image_sha256(const PayloadApply *apply)
{
        return apply->slot ? apply->slot->new_image.sha256 : NULL;
}

uint64_t payload_apply_timestamp(const PayloadApply *apply)
{
        const Manifest *manifest = reader_manifest(apply->reader);

        return manifest ? manifest->timestamp : 0;
}

uint64_t payload_apply_expires(const PayloadApply *apply)
{
        const Manifest *manifest = reader_manifest(apply->reader);

        return manifest ? manifest->expires : 0;
}

const char *payload_apply_image_version(const PayloadApply *apply)
{
        return apply->slot ? apply->slot->version : NULL;
}

const char *payload_apply_signer(const PayloadApply *apply, size_t index)
{
        return index < apply->signers.n_items ? apply->signers.items[index] : NULL;
}
