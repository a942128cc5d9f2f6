/*
 * The kernel that belongs to a slot, on the boot partition: written beside its place, and there under its name
 * only when it is whole and durable. vfat aware: no permissions, no links, one temporary name that
 * never adds up, and never the last free bytes.
 */
#pragma once

#include "slots.h"

#define BOOT_RESERVE \
        (1 * MIB) /* of the boot partition that stays free, for entries and their new names */

typedef struct BootKernel {
        int fd; /* of the temporary file, for the worker; -1: kernels are not written on this host */
        uint64_t size_max;      /* bytes that may be written */
        char *path, *temporary; /* on the host; owned */
} BootKernel;

#define BOOT_KERNEL_NONE \
        (BootKernel)     \
        {                \
                .fd = -1 \
        }

/*
 * Can what the boot loader reads be written at all? Asked before the target is touched: vfat becomes read-only by
 * itself after an error, and then the way back must stay one. -EROFS, or -EOPNOTSUPP where
 * GRUB itself can not, with *failure filled.
 */
int boot_check_writable(const Slots *slots, UpdateFailure *failure) _must_check_;

/*
 * Begins an empty file beside the place that the boot chooser has for the target's kernel. 0 with fd -1: it has
 * none. -errno with *failure filled, also when hardly anything is free.
 */
int boot_kernel_open(const Slots *slots, BootKernel *ret, UpdateFailure *failure) _must_check_;

/* Syncs it and gives it its name. What was empty is removed instead, and an older kernel stays. */
int boot_kernel_commit(BootKernel *kernel, UpdateFailure *failure) _must_check_;

/* Removes what was not committed. */
void boot_kernel_done(BootKernel *kernel);
