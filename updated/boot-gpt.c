#include <strings.h>

#include "base/text.h"
#include "boot-gpt.h"

void boot_gpt_set_unselectable(Slots *slots)
{
        GptPartition *target = &slots->gpt.partitions[slots->target];

        target->attributes = gpt_with_tries(gpt_with_priority(target->attributes, 0), 0, false);
}

/* How many of the target's kind come before this one when they are sorted by priority from below. */
static unsigned boot_gpt_rank(const Slots *slots, const GptPartition *slot)
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

void boot_gpt_set_next(Slots *slots, unsigned tries)
{
        GptPartition *target = &slots->gpt.partitions[slots->target];
        unsigned priorities[GPT_PARTITIONS_MAX] = {};
        unsigned highest = 0;

        for (size_t i = 0; i < slots->gpt.n_partitions; i++) {
                const GptPartition *p = &slots->gpt.partitions[i];

                if (p == target || strcasecmp(p->type, target->type) != 0
                    || gpt_priority(p->attributes) == 0)
                        continue;
                priorities[i] = boot_gpt_rank(slots, p) + 1;
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
        target->attributes = gpt_with_tries(gpt_with_priority(target->attributes, highest + 1),
                                            tries, tries == 0);
}

void boot_gpt_set_running_good(Slots *slots)
{
        GptPartition *running = &slots->gpt.partitions[slots->running];

        running->attributes = gpt_with_tries(running->attributes, 0, true);
}

void boot_gpt_set_running_bad(Slots *slots)
{
        GptPartition *running = &slots->gpt.partitions[slots->running];

        running->attributes = gpt_with_tries(running->attributes, 0, false);
}

static BootState boot_gpt_state(const Slots *slots, size_t slot)
{
        uint64_t attributes = slots->gpt.partitions[slot].attributes;

        return (BootState) {
                .priority = gpt_priority(attributes),
                .tries = gpt_tries(attributes),
                .good = gpt_successful(attributes),
        };
}

void boot_gpt_take_states(Slots *slots)
{
        slots->running_state = boot_gpt_state(slots, slots->running);
        slots->target_state =
                slots->target == SLOT_NONE ? (BootState) {} : boot_gpt_state(slots, slots->target);
}

static int boot_gpt_read(Slots *slots, _unused_ UpdateFailure *failure)
{
        int r;

        r = text_set(&slots->place, slots->gpt.path);
        if (r < 0)
                return r;

        slots->wants_repair = slots->gpt.wants_repair;
        boot_gpt_take_states(slots);
        return 0;
}

static int boot_gpt_write(Slots *slots)
{
        int r;

        r = gpt_write_attributes(&slots->gpt);
        if (r < 0)
                return r;

        slots->wants_repair = false;
        boot_gpt_take_states(slots);
        return 0;
}

static int boot_gpt_make_unselectable(Slots *slots)
{
        boot_gpt_set_unselectable(slots);
        return boot_gpt_write(slots);
}

static int boot_gpt_activate(Slots *slots, _unused_ const char *version, unsigned tries)
{
        boot_gpt_set_next(slots, tries);
        return boot_gpt_write(slots);
}

static int boot_gpt_mark_good(Slots *slots)
{
        if (!slots->running_state.good)
                boot_gpt_set_running_good(slots);
        return boot_gpt_write(slots);
}

static int boot_gpt_mark_bad(Slots *slots)
{
        boot_gpt_set_running_bad(slots);
        return boot_gpt_write(slots);
}

static bool boot_gpt_is_used(const Slots *slots)
{
        const Gpt *gpt = &slots->gpt;
        const char *type = gpt->partitions[slots->running].type;

        for (size_t i = 0; i < gpt->n_partitions; i++) {
                uint64_t attributes = gpt->partitions[i].attributes;

                if (strcasecmp(gpt->partitions[i].type, type) == 0
                    && (gpt_priority(attributes) > 0 || gpt_tries(attributes) > 0
                        || gpt_successful(attributes)))
                        return true;
        }

        return false;
}

const BootChooser boot_gpt = {
        .type = BOOT_CHOOSER_GPT,
        .is_used = boot_gpt_is_used,
        .read = boot_gpt_read,
        .make_unselectable = boot_gpt_make_unselectable,
        .kernel_path = boot_kernel_path_default,
        .activate = boot_gpt_activate,
        .mark_good = boot_gpt_mark_good,
        .mark_bad = boot_gpt_mark_bad,
};
