/*
 * The boot loaders of the crash tests, by the rules of tests/double: what they choose on a world or below a root,
 * what they write there themselves, and whether all that they may start is whole.
 */
#pragma once

#include "crash/release.h"
#include "crash/world.h"

#define LOADER_UUID_A "7130c94a-213a-4e5a-8e26-6cce9662f132"
#define LOADER_UUID_B "e03dd35c-7c2d-4a47-b3fe-27f15780a57c"

typedef enum LoaderKind {
        LOADER_GPT,     /* nothing of it is outside of the disk; no kernels */
        LOADER_GRUB,    /* an environment block, kernels in /boot/sluice */
        LOADER_SYSTEMD, /* entries of type 1, kernels in /boot/sluice */
        LOADER_UKI,     /* entries of type 2 */
        _LOADER_MAX,
} LoaderKind;

/* What a boot loader did to the boot partition; each may be NULL. */
typedef struct LoaderChange {
        char *file; /* was written to, from its beginning: */
        char *data;
        size_t size;
        char *from, *to; /* was renamed */
} LoaderChange;

void loader_change_done(LoaderChange *change);
void loader_change_apply(const LoaderChange *change, World *world);
void loader_change_record(const LoaderChange *change, const char *root);

/* All hosts have this one from now on. */
void loader_use(LoaderKind kind);
LoaderKind loader_kind(void);
const char *loader_setting(void); /* of BOOT_CHOOSER */

/* Adds the boot partition of a new host: slot A holds the installed release, B the old one, both are good. */
void loader_world(World *world);

/* Adds the boot partition as it is below root. */
void loader_read(const char *root, World *world);

/* Power on, not with GPT: 0 for slot A, 1 for B, -1 for none. What it changes below root is in *ret too. */
int loader_boot(const char *root, LoaderChange *ret);

/* I1 and I2 of what is on the boot partition, not with GPT. NULL, or what is wrong. */
char *loader_violation(const World *world);
