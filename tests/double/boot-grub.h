/*
 * The boot loader's part of the contract with GRUB: what docs/examples/grub.cfg does with an environment block,
 * without the updater's parser. tests/integration/updated-grub.py holds it against GRUB itself.
 */
#pragma once

#include "base/macros.h"

#define BOOT_GRUBENV_SIZE 1024

/* 'A' or 'B'; a used-up try is taken away in env. -EBADMSG: that is no environment block. */
int boot_grub_choose(char env[static BOOT_GRUBENV_SIZE]) _must_check_;

/* May that slot ('A', 'B') be started, now or when another one fails? */
bool boot_grub_is_selectable(const char env[static BOOT_GRUBENV_SIZE], char slot);
