/*
 * How a boot loader is told which slot to start: one struct of functions, and one file for each kind of boot
 * loader. All else sees slots (slots.h), and never learns which one it is.
 */
#pragma once

#include "base/string-table.h"
#include "omaha-error.h"

typedef struct Slots Slots;

typedef enum BootChooserType {
        BOOT_CHOOSER_AUTO, /* whichever shows signs of being in use; GPT when none does */
        BOOT_CHOOSER_GPT,
        BOOT_CHOOSER_SYSTEMD_BOOT,
        BOOT_CHOOSER_GRUB,
        _BOOT_CHOOSER_MAX,
        _BOOT_CHOOSER_INVALID = -EINVAL,
} BootChooserType;

DECLARE_STRING_TABLE(boot_chooser_type, BootChooserType);

/* What the boot loader knows of one slot. It may be started when priority > 0, and it is good or has tries left. */
typedef struct BootState {
        unsigned
                priority; /* the higher one is started first; 0: never was made the next one, or was unmade */
        unsigned tries; /* left */
        bool good;
} BootState;

/*
 * Functions that write return 0 or -errno, are durable on return, and leave the states in slots as they are on
 * the medium then. After a failure the medium is in the old state or in the new one; slots are to be read again.
 * A problem that errno does not tell is left in slots. None of them writes to the slots themselves, and none but mark_good and mark_bad changes what belongs to
 * the running one.
 */
typedef struct BootChooser {
        BootChooserType type;

        /* Are there signs of this boot loader? */
        bool (*is_used)(const Slots *slots);

        /* Fills in the states, wants_repair and place of slots. -errno with *failure filled. */
        int (*read)(Slots *slots, UpdateFailure *failure);

        /* The target can not be started any more, whatever happens next. */
        int (*make_unselectable)(Slots *slots);

        /* Where the target's kernel goes, on the host; -ENODATA: nowhere, kernels come with the slot. */
        int (*kernel_path)(const Slots *slots, char **ret);

        /*
         * The target is started next, so many times before it has to be good; 0 tries: it is good already.
         * version is that of its image, NULL or "" when nobody says.
         */
        int (*activate)(Slots *slots, const char *version, unsigned tries);

        /* The running slot is good, and a damaged copy of what the boot loader reads is mended. */
        int (*mark_good)(Slots *slots);

        /* The running slot is not started again as long as there is another one. */
        int (*mark_bad)(Slots *slots);
} BootChooser;

/* For kernel_path: below the boot directory, where one of the known directories is. */
int boot_kernel_path_default(const Slots *slots, char **ret) _must_check_;

/* -errno of writing what a boot loader reads, in words, with what to do where that is known; borrowed. */
const char *boot_error_text(int error);

extern const BootChooser boot_gpt, boot_grub, boot_systemd;
