/*
 * systemd-boot's part of the contract: which entry starts by itself, and how its tries are counted, without the
 * updater's parser. tests/integration/updated-systemd-boot.py holds the order against bootctl.
 */
#pragma once

#include "base/macros.h"

#define BOOT_BLS_NAME_MAX 256

/* A file of the boot partition. */
typedef struct BootBlsFile {
        const char *name; /* "loader/entries/x.conf" or "EFI/Linux/x.efi"; others are ignored */
        const char *data;
        size_t size;
} BootBlsFile;

typedef struct BootBlsEntry {
        const BootBlsFile *file;
        char kernel
                [BOOT_BLS_NAME_MAX]; /* of type 1: "/sluice/vmlinuz-a"; else that file's own name */
        char part_uuid[64];          /* of options; "" when they do not say, and of type 2 */
        char sort_key[64], version[64];
        char counted_down[BOOT_BLS_NAME_MAX]; /* the name it gets before it is started, or "" */
        bool bad;                             /* no tries left */
} BootBlsEntry;

/* False: systemd-boot does not show it. */
bool boot_bls_read(const BootBlsFile *file, BootBlsEntry *ret);

/* The one that is started: 0, or -ENODEV. */
int boot_bls_choose(const BootBlsFile *files, size_t n, BootBlsEntry *ret) _must_check_;
