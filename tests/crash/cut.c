#include <fcntl.h>
#include <sys/stat.h>

#include "base/disk-io.h"
#include "crash/check.h"
#include "crash/cut.h"

#define DIRTY_MAX 64

static struct {
        CutKind kind;
        unsigned at, n;
        ino_t dirty[DIRTY_MAX]; /* files with content that is not durable */
        size_t n_dirty;
        bool name_pending; /* a name has changed, and its directory was not synced since */
        const char *violation;
} cut;

static int call_now(void)
{
        cut.n++;
        if (cut.n != cut.at || cut.kind == CUT_NONE)
                return 0;
        if (cut.kind == CUT_POWER)
                _exit(CUT_STATUS);
        return -EIO;
}

static ssize_t dirty_find(ino_t inode)
{
        for (size_t i = 0; i < cut.n_dirty; i++)
                if (cut.dirty[i] == inode)
                        return (ssize_t)i;
        return -1;
}

static void dirty_note(int fd)
{
        struct stat status;

        CHECK(fstat(fd, &status) == 0);
        if (dirty_find(status.st_ino) >= 0)
                return;
        CHECK(cut.n_dirty < DIRTY_MAX);
        cut.dirty[cut.n_dirty++] = status.st_ino;
}

static void dirty_forget(int fd)
{
        struct stat status;
        ssize_t i;

        CHECK(fstat(fd, &status) == 0);
        if (S_ISDIR(status.st_mode))
                cut.name_pending = false;
        i = dirty_find(status.st_ino);
        if (i >= 0)
                cut.dirty[i] = cut.dirty[--cut.n_dirty];
}

static bool is_temporary(const char *path)
{
        const char *slash = strrchr(path, '/');

        return after_prefix(slash ? slash + 1 : path, ".#");
}

/* What is below /run is gone after a power cut anyway. */
static void name_changes(const char *path)
{
        if (strstr(path, "/run/"))
                return;
        if (cut.name_pending)
                cut.violation = "a name was changed before the one before it was durable";
        cut.name_pending = true;
}

static int cut_open(const char *path, int flags, mode_t mode)
{
        int r = flags & O_CREAT ? call_now() : 0;

        return r < 0 ? r : disk_io_system.open(path, flags, mode);
}

static ssize_t cut_write(int fd, const void *data, size_t size)
{
        int r = call_now();

        dirty_note(fd);
        return r < 0 ? r : disk_io_system.write(fd, data, size);
}

static ssize_t cut_pwrite(int fd, const void *data, size_t size, uint64_t offset)
{
        int r = call_now();

        dirty_note(fd);
        return r < 0 ? r : disk_io_system.pwrite(fd, data, size, offset);
}

static int cut_sync(int fd)
{
        int r = call_now();

        if (r < 0)
                return r;
        dirty_forget(fd);
        return disk_io_system.sync(fd);
}

static int cut_rename(const char *from, const char *to)
{
        struct stat status;
        int r = call_now();

        if (r < 0)
                return r;
        if (lstat(from, &status) == 0 && dirty_find(status.st_ino) >= 0)
                cut.violation = "a file got its name before its content was durable";
        name_changes(to);
        return disk_io_system.rename(from, to);
}

static int cut_unlink(const char *path)
{
        int r = call_now();

        if (r < 0)
                return r;
        r = disk_io_system.unlink(path);
        if (r >= 0 && !is_temporary(path))
                name_changes(path);
        return r;
}

static int cut_mkdir(const char *path, mode_t mode)
{
        int r = call_now();

        return r < 0 ? r : disk_io_system.mkdir(path, mode);
}

void cut_begin(CutKind kind, unsigned at)
{
        static DiskIo table;

        table = disk_io_system;
        table.open = cut_open;
        table.write = cut_write;
        table.pwrite = cut_pwrite;
        table.sync = cut_sync;
        table.sync_data = cut_sync;
        table.rename = cut_rename;
        table.unlink = cut_unlink;
        table.mkdir = cut_mkdir;
        cut.kind = kind;
        cut.at = at;
        cut.n = 0;
        cut.n_dirty = 0;
        cut.name_pending = false;
        cut.violation = NULL;
        disk_io_set(&table);
}

unsigned cut_end(const char **ret_violation)
{
        disk_io_set(NULL);
        if (!cut.violation && cut.name_pending && cut.kind == CUT_NONE)
                cut.violation = "the last name that was changed is not durable";
        *ret_violation = cut.violation;
        return cut.n;
}
