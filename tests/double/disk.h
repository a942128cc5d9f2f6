/*
 * Disk images with a GPT, made by libfdisk itself: what the tests of slots begin with.
 */
#pragma once

#include "base/macros.h"

#define DISK_TYPE_ESP "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
#define DISK_TYPE_USR "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6"

/* The attribute bits of ChromeOS and Flatcar. */
#define DISK_BOOT_BITS(priority, tries, good) \
        ((uint64_t)(priority) << 48 | (uint64_t)(tries) << 52 | (uint64_t)(good) << 56)

typedef struct DiskPartition {
        const char *label, *type, *uuid;
        uint64_t size; /* bytes */
        uint64_t attributes;
} DiskPartition;

/* Partitions lie one behind the other from the first MiB on. The file is replaced. */
int disk_make(const char *path, uint64_t size, unsigned sector_size,
              const DiskPartition *partitions, size_t n) _must_check_;

/* Takes one away. */
int disk_remove(const char *path, unsigned sector_size, size_t number) _must_check_;

/* libfdisk's own write of one partition's attributes, to compare with. */
int disk_set_attributes(const char *path, unsigned sector_size, size_t number,
                        uint64_t attributes) _must_check_;
