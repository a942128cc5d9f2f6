#include "slots.h"
#include "base/io.h"
#include "base/text.h"

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
