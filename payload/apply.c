/*
 * Ties the reader to the targets: where each operation goes, what must hold before the first
 * one and after the last one.
 */
#include "base/text.h"
#include "payload/error.h"
#include "payload/follower.h"
#include "payload/keys.h"
#include "payload/operation.h"
#include "payload/pool.h"
#include "payload/reader.h"
#include "payload/target.h"
#include "version.h"

#define BUSY_SIZE_MAX (8 * MIB) /* data that waits for a thread; one larger operation is alone */

/* One part of the payload: where it comes from and where it goes. */
typedef struct Part {
        PayloadTarget target;      /* fd -1: it is only checked */
        const PayloadSource *base; /* borrowed; NULL: no delta can be applied */
        ExtentSource source;       /* of a delta */
        BlockMap *written;         /* of a delta of version 1: owned */
        Follower *follower;        /* owned; hashes what was written */
} Part;

/* One operation on its way through the pool. */
typedef struct ApplyJob {
        PoolJob job; /* first: the pool sees only this */
        OperationPlace place;
        const Partition *partition;
        const Operation *operation;
        Buffer data; /* owned; its memory is used again */
        PayloadError error;
        int result;
} ApplyJob;

struct PayloadApply {
        PayloadApplyParameters parameters;
        uint8_t announced_sha256[SHA256_SIZE];
        Part parts[_PARTITION_ROLE_MAX];
        PayloadReader *reader;
        TextList signers;            /* descriptions of the keys that signed the whole payload */
        uint64_t version;            /* of the format */
        uint64_t timestamp, expires; /* of the manifest */
        const Partition *slot;       /* or NULL: there is none in it */
        Pool *pool;
        ApplyJob *jobs; /* a ring */
        size_t n_jobs;
        size_t n_submitted, n_taken; /* since the beginning */
        uint64_t busy_size;          /* bytes of data in the pool */
        bool touched;                /* a target may have been changed */
};

PayloadApply *payload_apply_free(PayloadApply *apply)
{
        if (!apply)
                return NULL;

        pool_free(apply->pool); /* first: its threads use everything else */
        for (size_t i = 0; i < _PARTITION_ROLE_MAX; i++) {
                follower_free(apply->parts[i].follower);
                block_map_free(apply->parts[i].written);
        }
        for (size_t i = 0; i < apply->n_jobs; i++) {
                buffer_done(&apply->jobs[i].data);
                payload_error_done(&apply->jobs[i].error);
        }
        free(apply->jobs);
        reader_free(apply->reader);
        text_list_done(&apply->signers);
        free(apply);
        return NULL;
}

static bool signers_have(const TextList *signers, const char *description)
{
        for (size_t i = 0; i < signers->n_items; i++)
                if (streq(signers->items[i], description))
                        return true;

        return false;
}

/* Enough different keys have signed? Several signatures of one key count once. Fills signers. */
static int signatures_check(const PayloadApply *apply, uint64_t version, const Buffer *message,
                            const uint8_t *sha256, TextList *signers, PayloadError *error)
{
        _cleanup_(signature_list_done) SignatureList list = {};
        size_t wanted = MAX_OF(apply->parameters.signatures_min, 1U);
        int r;

        r = signature_list_parse(version, message->data, message->size, &list, error);
        if (r < 0)
                return r;

        for (size_t i = 0; i < list.n_items; i++) {
                const char *signer;
                int key = keys_verify(apply->parameters.keys, version, sha256, &list.items[i]);

                if (key < 0)
                        continue;
                signer = keys_describe(apply->parameters.keys, (size_t)key);
                r = signers_have(signers, signer) ? 0 : text_list_add(signers, signer);
                if (r < 0)
                        return payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "checking signatures");
        }

        if (signers->n_items == 0)
                return payload_refuse(error, PAYLOAD_REFUSAL_SIGNATURE,
                                      "none of its %zu signatures is by a trusted key",
                                      list.n_items);
        if (signers->n_items < wanted)
                return payload_refuse(error, PAYLOAD_REFUSAL_SIGNATURE,
                                      "signed by %zu trusted keys, %zu are wanted",
                                      signers->n_items, wanted);
        return 0;
}

/* Version 2: nothing of the manifest is looked at before it is known who signed it. */
static int on_metadata(void *userdata, const uint8_t sha256[static SHA256_SIZE],
                       const Buffer *signatures, PayloadError *error)
{
        _cleanup_(text_list_done) TextList signers = {};
        PayloadApply *apply = userdata;
        int r;

        apply->version = reader_version(apply->reader);
        if (apply->version == HEADER_VERSION_1)
                return 0;
        if (!signatures)
                return payload_refuse(error, PAYLOAD_REFUSAL_UNSIGNED,
                                      "the metadata of the payload is not signed");

        r = signatures_check(apply, apply->version, signatures, sha256, &signers, error);
        if (r < 0)
                payload_error_locate(error, "metadata");
        return r;
}

/* The whole payload is known to be as long as its manifest says: is that what was announced? */
static int announced_size_check(const PayloadApply *apply, const Manifest *manifest,
                                PayloadError *error)
{
        uint64_t size = reader_bytes(apply->reader);

        if (apply->parameters.size == 0)
                return 0;
        if (!add_u64(size, manifest->data_size, &size)
            || !add_u64(size, manifest->signatures_size, &size) || size != apply->parameters.size)
                return payload_refuse(error, PAYLOAD_REFUSAL_SIZE,
                                      "by its manifest it has %llu bytes, %llu were announced",
                                      (unsigned long long)size,
                                      (unsigned long long)apply->parameters.size);
        return 0;
}

static int base_check(const Part *part, const Partition *partition, PayloadError *error)
{
        uint8_t sha256[SHA256_SIZE];
        int r;

        if (!part->base)
                return payload_refuse(error, PAYLOAD_REFUSAL_BASE,
                                      "%s: the payload is a delta, and there is no base for it",
                                      partition->name);
        if (part->base->size < partition->old_image.size)
                return payload_refuse(error, PAYLOAD_REFUSAL_BASE,
                                      "%s: the base has %llu bytes, the delta is for one of %llu",
                                      partition->name, (unsigned long long)part->base->size,
                                      (unsigned long long)partition->old_image.size);

        r = source_hash(part->base, partition->old_image.size, sha256);
        if (r < 0)
                return payload_fail(error, PAYLOAD_REFUSAL_TARGET_IO, r, "reading the base");
        if (memcmp(sha256, partition->old_image.sha256, SHA256_SIZE) != 0)
                return payload_refuse(error, PAYLOAD_REFUSAL_BASE,
                                      "%s: the base is not the one that the delta is for",
                                      partition->name);
        return 0;
}

static int part_accept(const PayloadApply *apply, const Partition *partition, PayloadError *error)
{
        const Part *part = &apply->parts[partition->role];
        uint64_t most = partition->role == PARTITION_SLOT ? apply->parameters.target_size_max : 0;
        int r;

        if (part->target.fd < 0)
                return 0;
        r = target_check_size(&part->target, partition->new_image.size, most, error);
        if (r < 0 || !partition->old_image.known)
                return r;

        return base_check(part, partition, error);
}

static int part_prepare(PayloadApply *apply, const Manifest *manifest, const Partition *partition,
                        PayloadError *error)
{
        Part *part = &apply->parts[partition->role];
        uint32_t block_size = manifest->block_size;
        int r;

        if (part->target.fd < 0)
                return 0;
        r = target_resize(&part->target, partition->new_image.size, error);
        if (r < 0)
                return r;
        r = follower_new(&part->target, partition->new_image.size, apply->parameters.cached,
                         apply->parameters.jobs > 1, &part->follower);
        if (r < 0)
                return payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "preparing to read back");
        if (!partition->old_image.known)
                return 0;

        if (manifest->version == HEADER_VERSION_1) { /* in place */
                r = block_map_new(blocks_for(partition->new_image.size, block_size),
                                  &part->written);
                if (r < 0)
                        return payload_fail(error, PAYLOAD_REFUSAL_NONE, r,
                                            "preparing for a delta");
        }
        part->source = (ExtentSource) {
                .base = part->base,
                .base_size = partition->old_image.size,
                .target = &part->target,
                .written = part->written,
                .block_size = block_size,
        };
        return 0;
}

static int engine_check(const Manifest *manifest, PayloadError *error)
{
        if (!manifest->minimum_engine
            || version_compare(manifest->minimum_engine, SLUICE_VERSION) <= 0)
                return 0;
        return payload_refuse(error, PAYLOAD_REFUSAL_VERSION,
                              "the payload needs updater %s or newer, this one is %s",
                              manifest->minimum_engine, SLUICE_VERSION);
}

/* A replayed old payload, or one that has expired: what is signed says so. */
static int age_check(const PayloadApply *apply, const Manifest *manifest, PayloadError *error)
{
        if (apply->parameters.now > 0 && manifest->expires > 0
            && apply->parameters.now >= manifest->expires)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST, "the payload has expired");
        if (manifest->timestamp < apply->parameters.timestamp_min)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST,
                                      "the payload is older than what is installed");
        return 0;
}

/* All checks first: nothing is touched for a payload that is going to be refused. */
static int on_manifest(void *userdata, const Manifest *manifest, PayloadError *error)
{
        PayloadApply *apply = userdata;
        int r;

        if (manifest->signatures_size == 0)
                return payload_refuse(error, PAYLOAD_REFUSAL_UNSIGNED, "the payload is not signed");
        r = announced_size_check(apply, manifest, error);
        if (r < 0)
                return r;

        r = engine_check(manifest, error);
        if (r < 0)
                return r;
        r = age_check(apply, manifest, error);
        if (r < 0)
                return r;

        apply->timestamp = manifest->timestamp;
        apply->expires = manifest->expires;
        apply->slot = manifest_slot(manifest);
        if (!apply->slot && apply->parts[PARTITION_SLOT].target.fd >= 0)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST,
                                      "no partition of the payload is called \"%s\"",
                                      partition_role_to_string(PARTITION_SLOT));
        for (size_t i = 0; i < manifest->n_partitions; i++) {
                r = part_accept(apply, &manifest->partitions[i], error);
                if (r < 0)
                        return r;
        }

        apply->touched = true;
        for (size_t i = 0; i < manifest->n_partitions; i++) {
                const Partition *partition = &manifest->partitions[i];

                r = part_prepare(apply, manifest, partition, error);
                if (r < 0)
                        return r;
        }

        return 0;
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

/* Waits for the oldest operation in the pool. */
static int apply_take(PayloadApply *apply, PayloadError *error)
{
        ApplyJob *job = (ApplyJob *)pool_take(apply->pool);
        Part *part = &apply->parts[job->partition->role];

        apply->n_taken++;
        apply->busy_size -= job->data.size;
        if (job->result < 0) {
                if (error) {
                        payload_error_done(error);
                        *error = job->error;
                        job->error = (PayloadError) {};
                }
                return operation_failed(job->result, job->partition, job->operation, error);
        }

        /* A delta of version 1 may write a block again: it is read back at the end. */
        if (part->follower && !part->written)
                follower_see(part->follower, job->operation, job->place.block_size);
        return 0;
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

/* Waits until there is a free job, and data of size bytes would not make too much in memory. */
static int apply_reserve(PayloadApply *apply, size_t size, PayloadError *error)
{
        int r;

        while (apply->n_submitted - apply->n_taken == apply->n_jobs
               || (apply->n_submitted > apply->n_taken
                   && apply->busy_size + size > BUSY_SIZE_MAX)) {
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
                .image_size = partition->new_image.size,
                .block_size = reader_manifest(apply->reader)->block_size,
                .exact = apply->version == HEADER_VERSION_2,
                .source = &part->source,
                .written = part->written,
        };
}

static int on_operation(void *userdata, const Partition *partition, const Operation *operation,
                        Buffer *data, PayloadError *error)
{
        PayloadApply *apply = userdata;
        Part *part = &apply->parts[partition->role];
        Buffer exchange;
        ApplyJob *job;
        int r;

        r = apply_reserve(apply, data->size, error);
        if (r < 0)
                return r;

        job = &apply->jobs[apply->n_submitted++ % apply->n_jobs];
        job->partition = partition;
        job->operation = operation;
        job->place = part_place(apply, part, partition);
        exchange = job->data;
        job->data = *data;
        *data = exchange;
        apply->busy_size += job->data.size;
        pool_submit(apply->pool, &job->job);

        /* A delta of version 1 works in place: strictly one operation after the other. */
        return part->written ? apply_drain(apply, error) : 0;
}

static const ReaderEvents apply_events = {
        .on_metadata = on_metadata,
        .on_manifest = on_manifest,
        .on_operation = on_operation,
};

static int apply_start_pool(PayloadApply *apply, unsigned threads)
{
        threads = threads > 1 ? MIN_OF(threads, (unsigned)POOL_THREADS_MAX) : 0;
        apply->n_jobs = threads > 0 ? 2 * (size_t)threads : 1;
        apply->jobs = calloc(apply->n_jobs, sizeof(*apply->jobs));
        if (!apply->jobs)
                return -ENOMEM;

        return pool_new(threads, apply_job_work, &apply->pool);
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
                apply->parts[i].target = PAYLOAD_TARGET_NONE;
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

int payload_apply_push(PayloadApply *apply, const void *data, size_t size, PayloadError *ret_error)
{
        return reader_push(apply->reader, data, size, ret_error);
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
                return payload_fail(error, PAYLOAD_REFUSAL_TARGET_IO, r,
                                    "syncing the target and reading it back");

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

int payload_apply_finish(PayloadApply *apply, PayloadError *ret_error)
{
        int r;

        r = reader_finish(apply->reader, ret_error);
        if (r < 0)
                return r;
        r = apply_drain(apply, ret_error);
        if (r < 0)
                return r;
        r = announced_hash_check(apply, ret_error);
        if (r < 0)
                return r;
        r = signatures_check(apply, apply->version, reader_signatures(apply->reader),
                             reader_signed_sha256(apply->reader), &apply->signers, ret_error);
        if (r < 0)
                return r;

        return parts_finish(apply, ret_error);
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
        return apply->timestamp;
}

uint64_t payload_apply_expires(const PayloadApply *apply)
{
        return apply->expires;
}

const char *payload_apply_image_version(const PayloadApply *apply)
{
        return apply->slot ? apply->slot->version : NULL;
}

const char *payload_apply_signer(const PayloadApply *apply, size_t index)
{
        return index < apply->signers.n_items ? apply->signers.items[index] : NULL;
}
