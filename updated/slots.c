#include <fcntl.h>
#include <linux/fs.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "slots.h"

/* So much of the label names the pair: "USR-A" and "USR-B" share "USR-". */
static size_t label_stem(const char *label)
{
        size_t n = strlen(label);

        if (n < 3 || label[n - 2] != '-' || (label[n - 1] != 'A' && label[n - 1] != 'B'))
                return 0;
        return n - 1;
}

void slots_done(Slots *slots)
{
        gpt_done(&slots->gpt);
        update_failure_done(&slots->why_no_target);
        *slots = (Slots) { .running = SLOT_NONE, .target = SLOT_NONE };
}

const char *slot_name(const GptPartition *slot)
{
        size_t n = strlen(slot->label);

        return n > 0 ? slot->label + n - 1 : "";
}

static bool partition_is(const GptPartition *p, const RunningPartition *running)
{
        if (running->uuid)
                return strcasecmp(p->uuid, running->uuid) == 0;
        if (running->label)
                return streq(p->label, running->label);
        return p->number == running->number;
}

static int slots_choose_running(Slots *slots, const RunningPartition *running,
                                UpdateFailure *failure)
{
        const char *path = slots->gpt.path;
        const char *word = running->uuid ? running->uuid : running->label ? running->label : "";

        slots->running = SLOT_NONE;
        for (size_t i = 0; i < slots->gpt.n_partitions; i++) {
                if (!partition_is(&slots->gpt.partitions[i], running))
                        continue;
                if (slots->running != SLOT_NONE)
                        return update_failure_set(
                                failure, -ENOTUNIQ, UPDATE_ERROR_SLOTS,
                                "%s: several partitions are called %s, so the running slot is "
                                "ambiguous; give them different names",
                                path, word);
                slots->running = i;
        }

        if (slots->running == SLOT_NONE)
                return update_failure_set(
                        failure, -ENODEV, UPDATE_ERROR_SLOTS,
                        "%s: the running partition %s is not on this disk; check DISK in update.conf",
                        path, word);
        return 0;
}

static void slots_choose_target(Slots *slots)
{
        const GptPartition *running = &slots->gpt.partitions[slots->running];
        size_t stem = label_stem(running->label);
        UpdateFailure *why = &slots->why_no_target;

        slots->target = SLOT_NONE;
        if (stem == 0) {
                (void)update_failure_set(
                        why, 0, UPDATE_ERROR_SLOTS,
                        "%s: the label \"%s\" of the running partition does not end in -A or -B, "
                        "so it has no second slot",
                        slots->gpt.path, running->label);
                return;
        }

        for (size_t i = 0; i < slots->gpt.n_partitions; i++) {
                const GptPartition *p = &slots->gpt.partitions[i];

                if (i == slots->running || label_stem(p->label) != stem
                    || strncmp(p->label, running->label, stem) != 0
                    || strcasecmp(p->type, running->type) != 0)
                        continue;
                if (streq(p->label, running->label) || slots->target != SLOT_NONE) {
                        slots->target = SLOT_NONE;
                        (void)update_failure_set(
                                why, 0, UPDATE_ERROR_SLOTS,
                                "%s: several partitions are labelled %s, so the target is ambiguous; "
                                "give them different labels",
                                slots->gpt.path, p->label);
                        return;
                }
                slots->target = i;
        }

        if (slots->target == SLOT_NONE)
                (void)update_failure_set(
                        why, 0, UPDATE_ERROR_SLOTS,
                        "%s: there is no second slot: no partition of the type of %s is labelled "
                        "%.*s%c",
                        slots->gpt.path, running->label, (int)stem, running->label,
                        running->label[stem] == 'A' ? 'B' : 'A');
}

static bool partitions_overlap(const GptPartition *a, const GptPartition *b)
{
        uint64_t end_a, end_b;

        if (!add_u64(a->offset, a->size, &end_a) || !add_u64(b->offset, b->size, &end_b))
                return true; /* no disk is as large as that */
        return a->size > 0 && b->size > 0 && a->offset < end_b && b->offset < end_a;
}

/* A table may say anything: the target must not be the running slot by another name, nor hold the table itself. */
static void slots_check_target(Slots *slots)
{
        const Gpt *gpt = &slots->gpt;
        const GptPartition *target;
        size_t target_index = slots->target;

        if (target_index == SLOT_NONE)
                return;
        target = &gpt->partitions[target_index];
        if (target->offset == 0 && target->size > 0) {
                slots->target = SLOT_NONE;
                (void)update_failure_set(&slots->why_no_target, 0, UPDATE_ERROR_SLOTS,
                                         "%s: the target slot %s is the whole disk, with the "
                                         "partition table in it; it is not written",
                                         gpt->path, target->label);
        }
        for (size_t i = 0; i < gpt->n_partitions && slots->target != SLOT_NONE; i++) {
                const GptPartition *other = &gpt->partitions[i];

                if (i == target_index || !partitions_overlap(target, other))
                        continue;
                slots->target = SLOT_NONE;
                (void)update_failure_set(&slots->why_no_target, 0, UPDATE_ERROR_SLOTS,
                                         "%s: the target slot %s overlaps %s %s; it is not written",
                                         gpt->path, target->label,
                                         i == slots->running ? "the running slot" : "partition",
                                         other->label);
        }
}

int slots_choose(Slots *slots, const RunningPartition *running, UpdateFailure *failure)
{
        int r;

        update_failure_done(&slots->why_no_target);
        slots->target = SLOT_NONE;
        r = slots_choose_running(slots, running, failure);
        if (r < 0)
                return r;

        slots_choose_target(slots);
        slots_check_target(slots);
        return 0;
}

static int slots_find_disk(const char *root, const char *disk, const RunningPartition *running,
                           char **ret, UpdateFailure *failure)
{
        int r;

        if (disk)
                return root_join(root, disk, ret);
        if (!is_empty(root) && !streq(root, "/"))
                return update_failure_set(failure, -ENODEV, UPDATE_ERROR_SLOTS,
                                          "with --root the disk must be named: set DISK in "
                                          "update.conf");

        r = running_partition_disk(running, ret);
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "no disk of this machine holds the running partition "
                                          "(%s); set DISK in update.conf",
                                          strerror(-r));
        return 0;
}

int slots_read(const char *root, const char *disk, Slots *ret, UpdateFailure *failure)
{
        _cleanup_(running_partition_done) RunningPartition running = {};
        _cleanup_(slots_done) Slots slots = { .running = SLOT_NONE, .target = SLOT_NONE };
        _cleanup_free_ char *path = NULL;
        int r;

        r = running_partition_find(root, &running);
        if (r < 0)
                return update_failure_set(
                        failure, r, UPDATE_ERROR_SLOTS,
                        "neither /proc/cmdline (verity.usr=, mount.usr=, usr=, root= with PARTUUID= "
                        "or PARTLABEL=) nor the device behind /usr tells which slot runs");
        r = slots_find_disk(root, disk, &running, &path, failure);
        if (r < 0)
                return r;
        r = gpt_read(path, &slots.gpt);
        if (r == -ENOMEDIUM)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "%s: there is no GPT on it", path);
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "%s: reading its partition table: %s", path,
                                          strerror(-r));
        r = slots_choose(&slots, &running, failure);
        if (r < 0)
                return r;

        *ret = slots;
        slots = (Slots) {};
        return 0;
}

bool slots_running_is_good(const Slots *slots)
{
        return gpt_successful(slots->gpt.partitions[slots->running].attributes);
}

bool slots_target_is_next(const Slots *slots)
{
        uint64_t target, running;

        if (slots->target == SLOT_NONE)
                return false;
        target = slots->gpt.partitions[slots->target].attributes;
        running = slots->gpt.partitions[slots->running].attributes;
        return gpt_priority(target) > gpt_priority(running)
               && (gpt_tries(target) > 0 || gpt_successful(target));
}

void slots_set_unselectable(Slots *slots)
{
        GptPartition *target = &slots->gpt.partitions[slots->target];

        target->attributes = gpt_with_tries(gpt_with_priority(target->attributes, 0), 0, false);
}

/* How many of the target's kind come before this one when they are sorted by priority from below. */
static unsigned slots_rank(const Slots *slots, const GptPartition *slot)
{
        const GptPartition *target = &slots->gpt.partitions[slots->target];
        unsigned priority = gpt_priority(slot->attributes), rank = 0;
        uint32_t seen = 0;

        for (size_t i = 0; i < slots->gpt.n_partitions; i++) {
                const GptPartition *p = &slots->gpt.partitions[i];
                unsigned other = gpt_priority(p->attributes);

                if (p == target || strcasecmp(p->type, target->type) != 0 || other == 0
                    || other >= priority || seen & UINT32_C(1) << other)
                        continue;
                seen |= UINT32_C(1) << other;
                rank++;
        }

        return rank;
}

void slots_set_next(Slots *slots)
{
        GptPartition *target = &slots->gpt.partitions[slots->target];
        unsigned priorities[GPT_PARTITIONS_MAX] = {};
        unsigned highest = 0;

        for (size_t i = 0; i < slots->gpt.n_partitions; i++) {
                const GptPartition *p = &slots->gpt.partitions[i];

                if (p == target || strcasecmp(p->type, target->type) != 0
                    || gpt_priority(p->attributes) == 0)
                        continue;
                priorities[i] = slots_rank(slots, p) + 1;
                highest = MAX_OF(highest, priorities[i]);
        }
        /* All fifteen are taken: the two lowest share one, the boot loader takes the first of them. */
        for (size_t i = 0; i < slots->gpt.n_partitions && highest == GPT_PRIORITY_MAX; i++)
                priorities[i] = priorities[i] > 1 ? priorities[i] - 1 : priorities[i];
        highest = MIN_OF(highest, (unsigned)GPT_PRIORITY_MAX - 1);

        for (size_t i = 0; i < slots->gpt.n_partitions; i++) {
                GptPartition *p = &slots->gpt.partitions[i];

                if (priorities[i] > 0)
                        p->attributes = gpt_with_priority(p->attributes, priorities[i]);
        }
        target->attributes =
                gpt_with_tries(gpt_with_priority(target->attributes, highest + 1), 1, false);
}

void slots_set_running_good(Slots *slots)
{
        GptPartition *running = &slots->gpt.partitions[slots->running];

        running->attributes = gpt_with_tries(running->attributes, 0, true);
}

static int region_check(const GptPartition *slot, int fd, bool is_file)
{
        struct stat status;
        uint64_t end, size;
        int r;

        r = RET_ERRNO(fstat(fd, &status));
        if (r < 0)
                return r;
        if (!is_file) {
                if (!S_ISBLK(status.st_mode))
                        return -ENOTBLK;
                if (device_is_running(status.st_rdev))
                        return -ETXTBSY;
                r = RET_ERRNO(ioctl(fd, BLKGETSIZE64, &size));
                return r < 0 ? r : size == slot->size ? 0 : -ESTALE;
        }
        if (!S_ISREG(status.st_mode))
                return -ESTALE;
        if (!add_u64(slot->offset, slot->size, &end) || end > (uint64_t)status.st_size)
                return -ENXIO; /* the table names bytes that the file does not have */
        return 0;
}

int slots_open_target(const Slots *slots, SlotRegion *ret, UpdateFailure *failure)
{
        const GptPartition *slot;
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        if (slots->target == SLOT_NONE)
                return update_failure_set(failure, -ENODEV, UPDATE_ERROR_SLOTS, "%s",
                                          update_failure_text(&slots->why_no_target));
        assert(slots->target != slots->running);
        slot = &slots->gpt.partitions[slots->target];

        /* O_EXCL on a block device: nobody has mounted or mapped it, and nobody can while it is open. */
        if (slots->gpt.is_file)
                r = root_join(NULL, slots->gpt.path, &path);
        else
                r = gpt_partition_path(&slots->gpt, slot->number, &path);
        if (r >= 0) {
                fd = root_open(NULL, path, O_RDWR | (slots->gpt.is_file ? 0 : O_EXCL), 0);
                r = fd < 0 ? fd : region_check(slot, fd, slots->gpt.is_file);
        }
        if (r == -EBUSY)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "%s: the target slot %s is mounted or in use; unmount it",
                                          path, slot->label);
        if (r == -ETXTBSY)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "%s: the target slot %s is what /usr or / runs from, "
                                          "whatever the kernel command line says",
                                          path, slot->label);
        if (r == -ESTALE)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "%s: the target slot %s is not as large as its partition "
                                          "table says; reboot, or read the table again (partx -u)",
                                          path, slot->label);
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "%s: opening the target slot %s: %s", path, slot->label,
                                          strerror(-r));

        *ret = (SlotRegion) {
                .fd = TAKE_FD(fd),
                .offset = slots->gpt.is_file ? slot->offset : 0,
                .size = slot->size,
        };
        return 0;
}
