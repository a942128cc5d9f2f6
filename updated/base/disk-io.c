#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/disk-io.h"

static int system_open(const char *path, int flags, mode_t mode)
{
        return RET_ERRNO(open(path, flags, mode));
}

static ssize_t system_read(int fd, void *data, size_t size)
{
        return RET_ERRNO(read(fd, data, size));
}

static ssize_t system_write(int fd, const void *data, size_t size)
{
        return RET_ERRNO(write(fd, data, size));
}

static ssize_t system_pread(int fd, void *data, size_t size, uint64_t offset)
{
        return RET_ERRNO(pread(fd, data, size, (off_t)offset));
}

static ssize_t system_pwrite(int fd, const void *data, size_t size, uint64_t offset)
{
        return RET_ERRNO(pwrite(fd, data, size, (off_t)offset));
}

static int system_truncate(int fd, uint64_t size)
{
        return RET_ERRNO(ftruncate(fd, (off_t)size));
}

static int system_allocate(int fd, uint64_t size)
{
        return RET_ERRNO(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size));
}

/* Holes in files, discarded or zeroed blocks on devices. */
static int system_zero(int fd, uint64_t offset, uint64_t size)
{
        static const int modes[] = { FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE };

        for (size_t i = 0; i < ELEMENTSOF(modes); i++)
                if (fallocate(fd, modes[i] | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size) == 0)
                        return 0;

        return -EOPNOTSUPP;
}

static int system_sync(int fd)
{
        return RET_ERRNO(fsync(fd));
}

static int system_sync_data(int fd)
{
        return RET_ERRNO(fdatasync(fd));
}

static int system_rename(const char *from, const char *to)
{
        return RET_ERRNO(rename(from, to));
}

static int system_unlink(const char *path)
{
        return RET_ERRNO(unlink(path));
}

static int system_mkdir(const char *path, mode_t mode)
{
        return RET_ERRNO(mkdir(path, mode));
}

const DiskIo disk_io_system = {
        .open = system_open,
        .read = system_read,
        .write = system_write,
        .pread = system_pread,
        .pwrite = system_pwrite,
        .truncate = system_truncate,
        .allocate = system_allocate,
        .zero = system_zero,
        .sync = system_sync,
        .sync_data = system_sync_data,
        .rename = system_rename,
        .unlink = system_unlink,
        .mkdir = system_mkdir,
};

static const DiskIo *disk_io_table = &disk_io_system;

const DiskIo *disk_io(void)
{
        return disk_io_table;
}

void disk_io_set(const DiskIo *table)
{
        disk_io_table = table ? table : &disk_io_system;
}
