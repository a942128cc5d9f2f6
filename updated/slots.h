/*
 * The two slots of an A/B pair: which one runs and which one is the target (slots-choose.c), how the target is opened
 * (slots-target.c), and what the boot loader is told about them. The running slot is never written.
 */
#pragma once

#include "boot-chooser.h"
#include "omaha-error.h"
#include "slots-find.h"
#include "slots-gpt.h"

#define SLOT_NONE SIZE_MAX

#define BOOT_DIRECTORY_DEFAULT "/boot"

#define SLOT_TRIES_MAX 9 /* one digit, also in a GRUB environment */

/* What update.conf says about them; owned by its reader. */
typedef struct SlotSettings {
        char *disk;     /* as seen below root; NULL: the running partition's */
        char *slots[2]; /* A and B: "PARTUUID=…" or "PARTLABEL=…"; NULL: by labels in -A and -B */
        char *type;     /* GUID that both have to have; NULL: any, the same */
        BootChooserType chooser;
        char *boot_directory; /* where the boot partition is mounted; NULL: where it usually is */
        unsigned tries;       /* of a new version */
} SlotSettings;

void slot_settings_done(SlotSettings *settings);

struct Slots {
        Gpt gpt;
        size_t running; /* index into gpt.partitions */
        size_t target;  /* the same, or SLOT_NONE: see why_no_target */
        UpdateFailure why_no_target;

        const BootChooser *chooser;
        BootState running_state, target_state;
        bool wants_repair; /* a copy of what the boot loader reads is damaged: marking good mends it */
        char *place;       /* where the boot loader's choice is kept, for messages */
        const char *problem;         /* static: what errno does not tell of a failure, or NULL */
        char *root, *boot_directory; /* for the choosers: as given, boot_directory may be NULL */
};

void slots_done(Slots *slots);

/*
 * Finds the running slot and its partner, by the settings or as partitions of one type whose labels end in -A and -B, and
 * what the boot loader knows of them. -errno with *failure filled when even the running slot can not be told; a
 * missing partner is no failure here.
 */
int slots_read(const char *root, const SlotSettings *settings, Slots *ret,
               UpdateFailure *failure) _must_check_;

/* The choice alone: sets running, target and why_no_target of slots from its gpt. */
int slots_choose(Slots *slots, const SlotSettings *settings, const RunningPartition *running,
                 UpdateFailure *failure) _must_check_;

/* "A" or "B": what the settings call it, or the last letter of the label. */
const char *slot_name(const GptPartition *slot);

/* Why one of the functions below failed with that -errno; borrowed. */
const char *slots_why(const Slots *slots, int error);

/* As the boot loader has it. */
bool slots_running_is_good(const Slots *slots);

/* Would a boot loader take the target before the running slot? True from activation until it was tried. */
bool slots_target_is_next(const Slots *slots);

/* Was the target made the next one since it was written last, whatever became of it? */
bool slots_target_was_next(const Slots *slots);

/*
 * What the boot loader is told; see boot-chooser.h. All return 0 or -errno, and are durable. A version is that of the
 * target's image, NULL when it is not new.
 */
int slots_make_target_unselectable(Slots *slots) _must_check_;
int slots_activate_target(Slots *slots, const char *version, unsigned tries) _must_check_;
int slots_mark_running_good(Slots *slots) _must_check_;
int slots_mark_running_bad(Slots *slots) _must_check_;

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
