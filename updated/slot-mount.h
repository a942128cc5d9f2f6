/*
 * The file system of a slot that was written and does not run: found by its content, mounted read-only without a write to
 * the slot, opened without following its links to the outside.
 */
#pragma once

#include "base/macros.h"

/* The region of a partition, or of a disk image file. */
typedef struct SlotImage {
        int fd; /* borrowed, open for reading */
        uint64_t offset, size;
} SlotImage;

/* What is in it: "ext4", "squashfs", …; *ret is the caller's, and NULL when there is no file system. -errno. */
int slot_image_probe(const SlotImage *image, char **ret) _must_check_;

/*
 * Mounts it through a loop device that can not be written; the device goes with the mount. Journals are not played
 * back. Wants root. -EEXIST: a file system with the same UUID is mounted.
 */
int slot_image_mount(const SlotImage *image, const char *type, const char *where) _must_check_;

/* Opens (O_PATH) a file below root, for which root is / : links can not lead out of it. Returns an fd or -errno. */
int slot_image_open(int root, const char *path) _must_check_;
