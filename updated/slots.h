/*
 * The two slots of an A/B pair: which one runs, which one is the target, and what the boot loader is told
 * about them. The running slot is never written.
 */
#pragma once

#include "omaha-error.h"
#include "slots-find.h"
#include "slots-gpt.h"

#define SLOT_NONE SIZE_MAX

typedef struct Slots {
        Gpt gpt;
        size_t running; /* index into gpt.partitions */
        size_t target;  /* the same, or SLOT_NONE: see why_no_target */
        UpdateFailure why_no_target;
} Slots;

void slots_done(Slots *slots);

/*
 * Finds the running slot and its partner: partitions of one type whose labels end in -A and -B. disk (as seen
 * below root) may be NULL: then it is the running partition's. -errno with *failure filled when even the
 * running slot can not be told; a missing partner is no failure here.
 */
int slots_read(const char *root, const char *disk, Slots *ret, UpdateFailure *failure) _must_check_;

/* The choice alone: sets running, target and why_no_target of slots from its gpt. */
int slots_choose(Slots *slots, const RunningPartition *running,
                 UpdateFailure *failure) _must_check_;

/* "A" or "B": the last letter of the label. */
const char *slot_name(const GptPartition *slot);

bool slots_running_is_good(const Slots *slots);

/* Would a boot loader take the target before the running slot? True from activation until it was tried. */
bool slots_target_is_next(const Slots *slots);

/* What the attributes have to be; nothing is written, see gpt_write_attributes(). */
void slots_set_unselectable(Slots *slots);
void slots_set_next(
        Slots *slots); /* highest priority, the others behind it in their order; one try */
void slots_set_running_good(Slots *slots);

/* Where the image goes; fd is the caller's. */
typedef struct SlotRegion {
        int fd;
        uint64_t offset, size;
} SlotRegion;

/*
 * Opens the target for reading and writing: the partition exclusively (-EBUSY when it is mounted or in use),
 * or its region of the image file. *failure is filled on failure.
 */
int slots_open_target(const Slots *slots, SlotRegion *ret, UpdateFailure *failure) _must_check_;
