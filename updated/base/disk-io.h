/*
 * Every system call by which the updater touches what has to survive a power cut goes through this table:
 * state files, partition tables, slots. Tests put another table in its place, to record a run, to fail the
 * n-th call, or to make calls short; the programs never do.
 */
#pragma once

#include <sys/types.h>

#include "base/macros.h"

/* As the system calls of these names, but with -errno as the result. */
typedef struct DiskIo {
        int (*open)(const char *path, int flags, mode_t mode);
        ssize_t (*read)(int fd, void *data, size_t size);
        ssize_t (*write)(int fd, const void *data, size_t size);
        ssize_t (*pread)(int fd, void *data, size_t size, uint64_t offset);
        ssize_t (*pwrite)(int fd, const void *data, size_t size, uint64_t offset);
        int (*truncate)(int fd, uint64_t size);
        int (*allocate)(int fd, uint64_t size); /* blocks for the first size bytes; size stays */
        int (*zero)(int fd, uint64_t offset, uint64_t size); /* without writing; -EOPNOTSUPP */
        int (*sync)(int fd);                                 /* of a directory: its names */
        int (*sync_data)(int fd);
        int (*rename)(const char *from, const char *to);
        int (*unlink)(const char *path);
        int (*mkdir)(const char *path, mode_t mode);
} DiskIo;

/* The system calls themselves; what a test's table builds on. */
extern const DiskIo disk_io_system;

/* The table in use. It does not change while threads run. */
const DiskIo *disk_io(void);

/* For tests: table is borrowed; NULL brings the system calls back. */
void disk_io_set(const DiskIo *table);
