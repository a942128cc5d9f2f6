#include <fcntl.h>
#include <linux/fs.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/text.h"
#include "slots.h"

/* So much of the label names the pair: "USR-A" and "USR-B" share "USR-". */
static size_t label_stem(const char *label)
{
        size_t n = strlen(label);

        if (n < 3 || label[n - 2] != '-' || (label[n - 1] != 'A' && label[n - 1] != 'B'))
                return 0;
        return n - 1;
}

static const char *const boot_chooser_type_table[] = {
        [BOOT_CHOOSER_AUTO] = "auto",
        [BOOT_CHOOSER_GPT] = "gpt",
        [BOOT_CHOOSER_SYSTEMD_BOOT] = "systemd-boot",
        [BOOT_CHOOSER_GRUB] = "grub",
};

DEFINE_STRING_TABLE(boot_chooser_type, BootChooserType);

void slot_settings_done(SlotSettings *settings)
{
        free(settings->disk);
        free(settings->slots[0]);
        free(settings->slots[1]);
        free(settings->type);
        free(settings->boot_directory);
        *settings = (SlotSettings) {};
}

void slots_done(Slots *slots)
{
        gpt_done(&slots->gpt);
        update_failure_done(&slots->why_no_target);
        free(slots->place);
        free(slots->root);
        free(slots->boot_directory);
        *slots = (Slots) { .running = SLOT_NONE, .target = SLOT_NONE };
}

const char *slot_name(const GptPartition *slot)
{
        size_t n = strlen(slot->label);

        if (slot->slot)
                return slot->slot;
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

/* "PARTUUID=…", "PARTLABEL=…" of the settings. */
static bool partition_is_named(const GptPartition *p, const char *name)
{
        const char *uuid = after_prefix(name, "PARTUUID="),
                   *label = after_prefix(name, "PARTLABEL=");

        return uuid ? strcasecmp(p->uuid, uuid) == 0 : label && streq(p->label, label);
}

/* The one partition of that name; -ENODEV or -ENOTUNIQ with why_no_target filled. */
static int slots_find_named(Slots *slots, const char *key, const char *name, size_t *ret)
{
        size_t found = SLOT_NONE;

        for (size_t i = 0; i < slots->gpt.n_partitions; i++) {
                if (!partition_is_named(&slots->gpt.partitions[i], name))
                        continue;
                if (found != SLOT_NONE)
                        return update_failure_set(
                                &slots->why_no_target, -ENOTUNIQ, UPDATE_ERROR_SLOTS,
                                "%s: several partitions are %s of update.conf, so "
                                "%s is ambiguous; name one by its PARTUUID",
                                slots->gpt.path, name, key);
                found = i;
        }
        if (found == SLOT_NONE)
                return update_failure_set(&slots->why_no_target, -ENODEV, UPDATE_ERROR_SLOTS,
                                          "%s: there is no partition with the %s that %s of "
                                          "update.conf names",
                                          slots->gpt.path, name, key);
        *ret = found;
        return 0;
}

/* The slots that the settings name: the running one is one of them, the target is the other. */
static void slots_choose_named(Slots *slots, const SlotSettings *settings)
{
        static const char *const keys[] = { "SLOT_A", "SLOT_B" };
        size_t found[2];

        slots->target = SLOT_NONE;
        for (size_t i = 0; i < 2; i++) {
                if (!settings->slots[i]) {
                        (void)update_failure_set(&slots->why_no_target, 0, UPDATE_ERROR_SLOTS,
                                                 "update.conf sets %s without %s: name both slots",
                                                 keys[1 - i], keys[i]);
                        return;
                }
                if (slots_find_named(slots, keys[i], settings->slots[i], &found[i]) < 0)
                        return;
        }
        if (found[0] == found[1]) {
                (void)update_failure_set(
                        &slots->why_no_target, 0, UPDATE_ERROR_SLOTS,
                        "%s: SLOT_A and SLOT_B of update.conf are one partition, %s",
                        slots->gpt.path, settings->slots[0]);
                return;
        }
        if (slots->running != found[0] && slots->running != found[1]) {
                (void)update_failure_set(
                        &slots->why_no_target, 0, UPDATE_ERROR_SLOTS,
                        "%s: the running partition %s is neither SLOT_A nor SLOT_B "
                        "of update.conf",
                        slots->gpt.path, slots->gpt.partitions[slots->running].label);
                return;
        }

        slots->gpt.partitions[found[0]].slot = "A";
        slots->gpt.partitions[found[1]].slot = "B";
        slots->target = found[slots->running == found[0] ? 1 : 0];
}

static void slots_check_type(Slots *slots, const char *type)
{
        const GptPartition *partitions = slots->gpt.partitions;
        const size_t both[] = { slots->running, slots->target };

        for (size_t i = 0; i < ELEMENTSOF(both) && slots->target != SLOT_NONE; i++) {
                if (strcasecmp(partitions[both[i]].type, type) == 0)
                        continue;
                slots->target = SLOT_NONE;
                (void)update_failure_set(&slots->why_no_target, 0, UPDATE_ERROR_SLOTS,
                                         "%s: the slot %s is of type %s, and not of SLOT_TYPE of "
                                         "update.conf, %s",
                                         slots->gpt.path, partitions[both[i]].label,
                                         partitions[both[i]].type, type);
        }
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

int slots_choose(Slots *slots, const SlotSettings *settings, const RunningPartition *running,
                 UpdateFailure *failure)
{
        int r;

        update_failure_done(&slots->why_no_target);
        slots->target = SLOT_NONE;
        r = slots_choose_running(slots, running, failure);
        if (r < 0)
                return r;

        if (settings->slots[0] || settings->slots[1])
                slots_choose_named(slots, settings);
        else
                slots_choose_target(slots);
        if (settings->type)
                slots_check_type(slots, settings->type);
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

static int slots_read_table(const char *path, const SlotSettings *settings,
                            const RunningPartition *running, Slots *slots, UpdateFailure *failure)
{
        int r;

        r = gpt_read(path, &slots->gpt);
        if (r == -ENOMEDIUM)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "%s: there is no GPT on it", path);
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "%s: reading its partition table: %s", path,
                                          strerror(-r));
        return slots_choose(slots, settings, running, failure);
}

/* The boot loader that update.conf names, or the first one that shows signs of being in use. */
static const BootChooser *slots_chooser(const Slots *slots, BootChooserType type)
{
        static const BootChooser *const choosers[] = { &boot_gpt, &boot_systemd, &boot_grub };

        for (size_t i = 0; i < ELEMENTSOF(choosers); i++)
                if (type == BOOT_CHOOSER_AUTO ? choosers[i]->is_used(slots)
                                              : choosers[i]->type == type)
                        return choosers[i];

        return &boot_gpt;
}

int slots_read(const char *root, const SlotSettings *settings, Slots *ret, UpdateFailure *failure)
{
        _cleanup_(running_partition_done) RunningPartition running = {};
        _cleanup_(slots_done) Slots slots = { .running = SLOT_NONE, .target = SLOT_NONE };
        _cleanup_free_ char *path = NULL;
        int r;

        r = text_set(&slots.root, root);
        if (r >= 0)
                r = text_set(&slots.boot_directory, settings->boot_directory);
        if (r < 0)
                return r;
        r = running_partition_find(root, &running);
        if (r < 0)
                return update_failure_set(
                        failure, r, UPDATE_ERROR_SLOTS,
                        "neither /proc/cmdline (verity.usr=, mount.usr=, usr=, root= with PARTUUID= "
                        "or PARTLABEL=) nor the device behind /usr tells which slot runs");
        r = slots_find_disk(root, settings->disk, &running, &path, failure);
        if (r >= 0)
                r = slots_read_table(path, settings, &running, &slots, failure);
        if (r < 0)
                return r;
        slots.chooser = slots_chooser(&slots, settings->chooser);
        r = slots.chooser->read(&slots, failure);
        if (r < 0)
                return r;

        *ret = slots;
        slots = (Slots) {};
        return 0;
}

const char *slots_why(const Slots *slots, int error)
{
        return slots->problem ? slots->problem : boot_error_text(error);
}

bool slots_running_is_good(const Slots *slots)
{
        return slots->running_state.good;
}

bool slots_target_was_next(const Slots *slots)
{
        return slots->target != SLOT_NONE && slots->target_state.priority > 0;
}

bool slots_target_is_next(const Slots *slots)
{
        const BootState *target = &slots->target_state;

        return slots_target_was_next(slots) && target->priority > slots->running_state.priority
               && (target->tries > 0 || target->good);
}

int slots_make_target_unselectable(Slots *slots)
{
        return slots->chooser->make_unselectable(slots);
}

int slots_activate_target(Slots *slots, const char *version, unsigned tries)
{
        assert(tries <= SLOT_TRIES_MAX);
        return slots->chooser->activate(slots, version, tries);
}

int slots_mark_running_good(Slots *slots)
{
        return slots->chooser->mark_good(slots);
}

int slots_mark_running_bad(Slots *slots)
{
        return slots->chooser->mark_bad(slots);
}

static int region_check(const GptPartition *slot, int fd, bool is_file)
{
        struct stat status;
        int read_only = 0, r;
        uint64_t end, size;

        r = RET_ERRNO(fstat(fd, &status));
        if (r < 0)
                return r;
        if (!is_file) {
                if (!S_ISBLK(status.st_mode))
                        return -ENOTBLK;
                if (device_is_running(status.st_rdev))
                        return -ETXTBSY;
                /* open(2) lets root write to it all the same, and write(2) does not */
                r = RET_ERRNO(ioctl(fd, BLKROGET, &read_only));
                if (r >= 0 && read_only)
                        return -EROFS;
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
        /* A file knows no O_EXCL. The lock goes with the last descriptor, which may be the worker's. */
        if (r >= 0 && slots->gpt.is_file && flock(fd, LOCK_EX | LOCK_NB) < 0)
                r = errno == EWOULDBLOCK ? -EBUSY : -errno;
        if (r == -EBUSY && slots->gpt.is_file)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "%s: another program writes to this disk image; wait for "
                                          "its end",
                                          path);
        if (r == -EBUSY)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "%s: the target slot %s is mounted or in use; unmount it",
                                          path, slot->label);
        if (r == -ETXTBSY)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "%s: the target slot %s is what /usr or / runs from, "
                                          "whatever the kernel command line says",
                                          path, slot->label);
        if (r == -EROFS || r == -EACCES)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "%s: the target slot %s is read-only; blockdev --setrw "
                                          "may change that, or the switch of the medium",
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
