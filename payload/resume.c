#include <stdio.h>

#include "base/disk-io.h"
#include "base/io.h"
#include "payload/apply.h"
#include "payload/error.h"

/*
 * What a crash may cost, 8 MiB: the work behind the last checkpoint, that in the pool, and the
 * data of the one operation that is being collected (1 MiB each is usual; a larger operation can
 * not be done in part).
 */
#define UNSAVED_WORK_MAX (3 * MIB)
#define BUSY_WORK_MAX    (4 * MIB)

static const PartitionRole checkpoint_roles[CHECKPOINT_TARGETS] = {
        PARTITION_SLOT,
        PARTITION_KERNEL,
};

static const Partition *manifest_partition(const Manifest *manifest, PartitionRole role)
{
        for (size_t i = 0; i < manifest->n_partitions; i++)
                if (manifest->partitions[i].role == role)
                        return &manifest->partitions[i];

        return NULL;
}

/* The other half of the mark is filled in later. */
static int checkpoint_identify(PayloadApply *apply, const Manifest *manifest)
{
        for (size_t i = 0; i < CHECKPOINT_TARGETS; i++) {
                const Partition *partition = manifest_partition(manifest, checkpoint_roles[i]);
                int r;

                if (!partition)
                        continue;
                r = target_identify(&apply->parts[checkpoint_roles[i]].target,
                                    partition->new_image.size, &apply->checkpoint.targets[i]);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* A delta of version 1 writes what it reads: its operations can not be carried out twice. */
static bool manifest_is_repeatable(const PayloadApply *apply, const Manifest *manifest)
{
        for (size_t i = 0; i < manifest->n_partitions; i++) {
                const Partition *partition = &manifest->partitions[i];

                if (manifest->version == HEADER_VERSION_1 && partition->old_image.known
                    && apply->parts[partition->role].target.fd >= 0)
                        return false;
        }

        return true;
}

static const char *checkpoint_refusal(const PayloadApply *apply, const Checkpoint *found, int r)
{
        if (r == -EBADMSG)
                return "it is damaged";
        if (r < 0)
                return strerror(-r);
        if (!checkpoint_matches(found, &apply->checkpoint))
                return "it is of another payload or another target";
        if (!reader_mark_is_valid(apply->reader, &found->mark))
                return "it was made in another way";
        if (found->n_resumes >= CHECKPOINT_RESUMES_MAX)
                return "ten runs went on from there, and none came any further";
        return NULL;
}

static void checkpoint_complain(PayloadApply *apply, const char *why)
{
        free(apply->checkpoint_problem);
        apply->checkpoint_problem = strdup(why); /* without memory nobody is told */
}

static CheckpointPlace checkpoint_place(const PayloadApply *apply)
{
        return (CheckpointPlace) {
                .path = apply->parameters.checkpoint,
                .fd = apply->parameters.checkpoint_fd,
                .offset = apply->parameters.checkpoint_offset,
        };
}

static bool checkpoint_is_wanted(const PayloadApply *apply)
{
        return apply->parameters.checkpoint || apply->parameters.checkpoint_fd > 0;
}

int resume_look(PayloadApply *apply, const Manifest *manifest, PayloadError *error)
{
        const CheckpointPlace place = checkpoint_place(apply);
        const char *refusal;
        Checkpoint found;
        int r;

        apply->checkpointing =
                checkpoint_is_wanted(apply) && manifest_is_repeatable(apply, manifest);
        if (!checkpoint_is_wanted(apply))
                return 0;
        r = checkpoint_identify(apply, manifest);
        if (r < 0)
                return payload_fail(error, PAYLOAD_REFUSAL_TARGET_IO, r, "looking at the target");

        r = checkpoint_read(&place, &found);
        if (r == -ENOENT)
                return 0;
        refusal = apply->checkpointing ? checkpoint_refusal(apply, &found, r)
                                       : "a delta of version 1 can not be resumed";
        if (!refusal) {
                apply->resume = found.mark;
                apply->checkpoint.n_resumes = found.n_resumes;
                return 0;
        }

        /* What it promises is going to be overwritten: nobody must believe it later. */
        checkpoint_complain(apply, refusal);
        r = checkpoint_remove(&place);
        return r < 0 ? payload_fail(error, PAYLOAD_REFUSAL_NONE, r, "removing the old checkpoint")
                     : 0;
}

/* What was read back before is read back again: the medium is not trusted to have kept it. */
static void parts_follow(PayloadApply *apply, const Manifest *manifest)
{
        uint64_t n_left = apply->resume.n_operations;

        for (size_t i = 0; i < manifest->n_partitions; i++) {
                const Partition *partition = &manifest->partitions[i];
                Follower *follower = apply->parts[partition->role].follower;
                uint64_t n = MIN_OF(n_left, (uint64_t)partition->n_operations);

                for (uint64_t j = 0; follower && j < n; j++)
                        follower_skip(follower, &partition->operations[j], manifest->block_size);
                n_left -= n;
        }
}

/* The update itself can do without. */
static void checkpoint_save(PayloadApply *apply, const ReaderMark *mark)
{
        const CheckpointPlace place = checkpoint_place(apply);
        int r;

        apply->checkpoint.mark = *mark;
        r = checkpoint_write(&place, &apply->checkpoint);
        if (r >= 0)
                return;
        apply->checkpointing = false;
        checkpoint_complain(apply, strerror(-r));
}

int resume_begin(PayloadApply *apply, const Manifest *manifest, PayloadError *error)
{
        int r;

        if (!apply->checkpointing)
                return 0;
        r = checkpoint_identify(apply, manifest); /* again: files have their size only now */
        if (r < 0)
                return payload_fail(error, PAYLOAD_REFUSAL_TARGET_IO, r, "looking at the target");
        if (apply->resume.n_operations == 0)
                return 0;

        reader_skip(apply->reader, apply->resume.n_operations);
        parts_follow(apply, manifest);
        apply->checkpoint.n_resumes++;
        checkpoint_save(apply, &apply->resume);
        return 0;
}

bool resume_must_wait(const PayloadApply *apply, uint64_t work)
{
        return apply->checkpointing && apply->busy_work + work > BUSY_WORK_MAX;
}

int resume_advance(PayloadApply *apply, const ReaderMark *mark, uint64_t work, PayloadError *error)
{
        uint64_t step = apply->parameters.checkpoint_step ? apply->parameters.checkpoint_step
                                                          : UNSAVED_WORK_MAX;
        int r;

        if (!apply->checkpointing)
                return 0;
        apply->unsaved_work += work;
        if (apply->unsaved_work < step)
                return 0;

        for (size_t i = 0; i < CHECKPOINT_TARGETS; i++) {
                int fd = apply->parts[checkpoint_roles[i]].target.fd;

                r = fd >= 0 ? disk_io()->sync_data(fd) : 0;
                if (r < 0) /* the next sync might not know of it any more */
                        return payload_fail(error, PAYLOAD_REFUSAL_TARGET_IO, r,
                                            "syncing the target");
        }
        apply->unsaved_work = 0;
        apply->checkpoint.n_resumes = 0;
        checkpoint_save(apply, mark);
        return 0;
}

void resume_forget(PayloadApply *apply)
{
        const CheckpointPlace place = checkpoint_place(apply);
        int r;

        if (!checkpoint_is_wanted(apply) || !apply->touched)
                return;
        r = checkpoint_remove(&place);
        if (r < 0)
                checkpoint_complain(apply, strerror(-r));
}
