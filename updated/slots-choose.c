#include <strings.h>

#include "slots.h"

/* So much of the label names the pair: "USR-A" and "USR-B" share "USR-". */
static size_t label_stem(const char *label)
{
        size_t n = strlen(label);

        if (n < 3 || label[n - 2] != '-' || (label[n - 1] != 'A' && label[n - 1] != 'B'))
                return 0;
        return n - 1;
}

static bool partition_is(const GptPartition *p, const RunningPartition *running)
{
        if (running->uuid)
                return strcasecmp(p->uuid, running->uuid) == 0;
        if (running->label)
                return streq(p->label, running->label);
        return p->number == running->number;
}

static int choose_running(Slots *slots, const RunningPartition *running, UpdateFailure *failure)
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

/* The functions below fail with why_no_target filled. */

static bool partition_is_partner(const GptPartition *p, const GptPartition *running)
{
        size_t stem = label_stem(running->label);

        return p != running && label_stem(p->label) == stem
               && strncmp(p->label, running->label, stem) == 0
               && strcasecmp(p->type, running->type) == 0;
}

/* The partition of the same type whose label has the other letter at its end. */
static int choose_by_label(Slots *slots, size_t *ret)
{
        const GptPartition *running = &slots->gpt.partitions[slots->running];
        size_t stem = label_stem(running->label), found = SLOT_NONE;
        UpdateFailure *why = &slots->why_no_target;

        if (stem == 0)
                return update_failure_set(
                        why, -ENODEV, UPDATE_ERROR_SLOTS,
                        "%s: the label \"%s\" of the running partition does not end in -A or -B, "
                        "so it has no second slot",
                        slots->gpt.path, running->label);

        for (size_t i = 0; i < slots->gpt.n_partitions; i++) {
                const GptPartition *p = &slots->gpt.partitions[i];

                if (!partition_is_partner(p, running))
                        continue;
                if (streq(p->label, running->label) || found != SLOT_NONE)
                        return update_failure_set(
                                why, -ENOTUNIQ, UPDATE_ERROR_SLOTS,
                                "%s: several partitions are labelled %s, so the target is ambiguous; "
                                "give them different labels",
                                slots->gpt.path, p->label);
                found = i;
        }
        if (found == SLOT_NONE)
                return update_failure_set(
                        why, -ENODEV, UPDATE_ERROR_SLOTS,
                        "%s: there is no second slot: no partition of the type of %s is labelled "
                        "%.*s%c",
                        slots->gpt.path, running->label, (int)stem, running->label,
                        running->label[stem] == 'A' ? 'B' : 'A');

        *ret = found;
        return 0;
}

/* "PARTUUID=…", "PARTLABEL=…" of the settings. */
static bool partition_is_named(const GptPartition *p, const char *name)
{
        const char *uuid = after_prefix(name, "PARTUUID="),
                   *label = after_prefix(name, "PARTLABEL=");

        return uuid ? strcasecmp(p->uuid, uuid) == 0 : label && streq(p->label, label);
}

static int find_named(Slots *slots, const char *key, const char *name, size_t *ret)
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
static int choose_named(Slots *slots, const SlotSettings *settings, size_t *ret)
{
        static const char *const keys[] = { "SLOT_A", "SLOT_B" };
        UpdateFailure *why = &slots->why_no_target;
        size_t found[2];
        int r;

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                if (!settings->slots[i])
                        return update_failure_set(why, -ENODEV, UPDATE_ERROR_SLOTS,
                                                  "update.conf sets %s without %s: name both slots",
                                                  keys[1 - i], keys[i]);
                r = find_named(slots, keys[i], settings->slots[i], &found[i]);
                if (r < 0)
                        return r;
        }
        if (found[0] == found[1])
                return update_failure_set(
                        why, -ENOTUNIQ, UPDATE_ERROR_SLOTS,
                        "%s: SLOT_A and SLOT_B of update.conf are one partition, %s",
                        slots->gpt.path, settings->slots[0]);
        if (slots->running != found[0] && slots->running != found[1])
                return update_failure_set(
                        why, -ENODEV, UPDATE_ERROR_SLOTS,
                        "%s: the running partition %s is neither SLOT_A nor SLOT_B "
                        "of update.conf",
                        slots->gpt.path, slots->gpt.partitions[slots->running].label);

        slots->gpt.partitions[found[0]].slot = "A";
        slots->gpt.partitions[found[1]].slot = "B";
        *ret = found[slots->running == found[0] ? 1 : 0];
        return 0;
}

static int check_type(Slots *slots, size_t target, const char *type)
{
        const size_t both[] = { slots->running, target };

        for (size_t i = 0; i < ELEMENTSOF(both); i++) {
                const GptPartition *p = &slots->gpt.partitions[both[i]];

                if (strcasecmp(p->type, type) != 0)
                        return update_failure_set(
                                &slots->why_no_target, -EMEDIUMTYPE, UPDATE_ERROR_SLOTS,
                                "%s: the slot %s is of type %s, and not of SLOT_TYPE of "
                                "update.conf, %s",
                                slots->gpt.path, p->label, p->type, type);
        }
        return 0;
}

static bool partitions_overlap(const GptPartition *a, const GptPartition *b)
{
        uint64_t end_a, end_b;

        if (!add_u64(a->offset, a->size, &end_a) || !add_u64(b->offset, b->size, &end_b))
                return true; /* no disk is as large as that */
        return a->size > 0 && b->size > 0 && a->offset < end_b && b->offset < end_a;
}

/* A table may say anything: the target must not be the running slot by another name, nor hold the table itself. */
static int check_place(Slots *slots, size_t target)
{
        const Gpt *gpt = &slots->gpt;
        const GptPartition *p = &gpt->partitions[target];

        if (p->offset == 0 && p->size > 0)
                return update_failure_set(&slots->why_no_target, -EINVAL, UPDATE_ERROR_SLOTS,
                                          "%s: the target slot %s is the whole disk, with the "
                                          "partition table in it; it is not written",
                                          gpt->path, p->label);

        for (size_t i = 0; i < gpt->n_partitions; i++)
                if (i != target && partitions_overlap(p, &gpt->partitions[i]))
                        return update_failure_set(
                                &slots->why_no_target, -EINVAL, UPDATE_ERROR_SLOTS,
                                "%s: the target slot %s overlaps %s %s; it is not written",
                                gpt->path, p->label,
                                i == slots->running ? "the running slot" : "partition",
                                gpt->partitions[i].label);
        return 0;
}

int slots_choose(Slots *slots, const SlotSettings *settings, const RunningPartition *running,
                 UpdateFailure *failure)
{
        bool named = settings->slots[0] || settings->slots[1];
        size_t target = SLOT_NONE;
        int r;

        update_failure_done(&slots->why_no_target);
        slots->target = SLOT_NONE;
        r = choose_running(slots, running, failure);
        if (r < 0)
                return r;

        r = named ? choose_named(slots, settings, &target) : choose_by_label(slots, &target);
        if (r >= 0 && settings->type)
                r = check_type(slots, target, settings->type);
        if (r >= 0)
                r = check_place(slots, target);
        if (r >= 0)
                slots->target = target;
        return 0; /* without a target there is still a running slot to tell about */
}
