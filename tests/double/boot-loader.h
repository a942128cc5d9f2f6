/*
 * The boot loader's part of the contract, for the machine stand-in: which slot starts next. The rule is
 * that of ChromeOS and Flatcar (GRUB's gptprio.next): among the partitions of the USR type the one of the
 * highest priority that is successful or has tries left; a try is used up before it is started.
 */
#pragma once

#include <stdint.h>

#include "base/macros.h"

typedef struct BootChoice {
        char *label;     /* "USR-A" */
        char *part_uuid; /* lower case */
        uint64_t offset; /* bytes from the start of the disk */
        uint64_t size;   /* bytes */
} BootChoice;

void boot_choice_done(BootChoice *choice);

/* Chooses, and writes the used-up try to the disk. -ENODEV: no slot can be started. */
int boot_loader_choose(const char *disk, BootChoice *ret) _must_check_;
