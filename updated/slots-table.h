/*
 * The sectors of a disk that hold its partition table, as a copy in memory: libfdisk works on the copy, and
 * what it changed is written to the disk here, in the order that leaves one valid table at every moment.
 */
#pragma once

#include "base/macros.h"

/* So much is copied of each end of the disk: 34 sectors of 512 bytes, 6 of 4096, and room for odd tables. */
#define TABLE_COPY_SIZE (256 * KIB)
#define SECTOR_SIZE_MIN 512 /* also that of an image file */

typedef struct TableCopy {
        int memory_fd; /* owned; as large as the disk, with holes where nothing is copied */
        unsigned sector_size;
        bool is_file; /* a disk image; else a block device */

        /* Its own. */
        int disk_fd;
        int direct_fd;               /* past the page cache, or -1 */
        uint64_t size;               /* bytes of the disk */
        size_t head_size, tail_size; /* bytes of the copied ends */
        uint8_t *disk;               /* what the disk holds: head, then tail */
        uint8_t *memory, *check;     /* room for what the copy holds, and to read back */
        bool written[2 * TABLE_COPY_SIZE / SECTOR_SIZE_MIN]; /* sectors that were */
} TableCopy;

#define TABLE_COPY_NONE                                         \
        (TableCopy)                                             \
        {                                                       \
                .memory_fd = -1, .disk_fd = -1, .direct_fd = -1 \
        }

/*
 * Copies what the medium holds, past the page cache where that is possible. sector_size 0: what the device says,
 * which is 512 for image files. -ENOTBLK: neither a block device nor a file; -ENOMEDIUM: too small for a table;
 * -EOPNOTSUPP: a table whose entries lie outside of the copied ends.
 */
int table_copy_open(const char *path, bool writable, unsigned sector_size,
                    TableCopy *ret) _must_check_;
void table_copy_done(TableCopy *copy);

/* Do copy and disk differ? 1, 0 or -errno. */
int table_copy_is_changed(TableCopy *copy) _must_check_;

/*
 * Writes the sectors that differ: the backup table, fsync, then the primary one, fsync. One of the two is whole
 * at every moment, as long as both were when this began, or the whole one does not change. Durable on return,
 * also when nothing differed: an earlier process may have died before its fsync. What was written is
 * read back; -EIO when the medium has something else.
 */
int table_copy_write(TableCopy *copy) _must_check_;
