#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include "base/disk-io.h"
#include "base/io.h"
#include "base/text.h"
#include "payload/output-file.h"

#define OUTPUT_MODE 0644

void output_file_done(OutputFile *file)
{
        if (file->temporary && !file->keep)
                (void)disk_io()->unlink(
                        file->temporary); /* what is reported is why it was not committed */
        (void)close_fd(file->fd);
        free(file->temporary);
        free(file->path);
        *file = OUTPUT_FILE_NONE;
}

/* Follows symbolic links, so that the file behind them is replaced and not the link. */
static int path_resolve(const char *path, char **ret, mode_t *ret_mode)
{
        struct stat status;
        int r = RET_ERRNO(stat(path, &status));

        if (r == -ENOENT) {
                *ret_mode = OUTPUT_MODE;
                *ret = strdup(path);
                return *ret ? 0 : -ENOMEM;
        }
        if (r < 0)
                return r;
        if (S_ISDIR(status.st_mode))
                return -EISDIR;
        if (!S_ISREG(status.st_mode))
                return -EEXIST;

        *ret_mode = status.st_mode & 07777;
        *ret = realpath(path, NULL);
        return *ret ? 0 : -errno;
}

/* A name beside the file, as mkostemps() makes it; the file is there, and empty. Returns the fd. */
static int named_open(const char *path, char **ret)
{
        _cleanup_free_ char *name = NULL;
        int fd;

        if (text_format(&name, "%s.XXXXXX.partial", path) < 0)
                return -ENOMEM;
        fd = RET_ERRNO(mkostemps(name, (int)strlen(".partial"), O_CLOEXEC));
        if (fd >= 0)
                *ret = TAKE_PTR(name);
        return fd;
}

/* A file that has no name before it is complete: whatever ends the program leaves nothing. Not all file systems have it. */
static int nameless_open(const char *path)
{
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *directory = NULL;

        directory = slash ? strndup(path, MAX_OF((size_t)(slash - path), (size_t)1)) : strdup(".");
        return directory ? RET_ERRNO(open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600))
                         : -ENOMEM;
}

/* A moment before it gets its own: rename() replaces a file, a link can not. */
static int nameless_name(OutputFile *file)
{
        char link[sizeof("/proc/self/fd/") + 10];
        int fd, r;

        fd = named_open(file->path, &file->temporary);
        if (fd < 0)
                return fd;
        (void)close_fd(fd);

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", file->fd);
        r = disk_io()->unlink(file->temporary);
        return r < 0 ? r
                     : RET_ERRNO(
                             linkat(AT_FDCWD, link, AT_FDCWD, file->temporary, AT_SYMLINK_FOLLOW));
}

int output_file_open(const char *path, OutputFile *ret)
{
        _cleanup_(output_file_done) OutputFile file = OUTPUT_FILE_NONE;
        mode_t mode;
        int r;

        r = path_resolve(path, &file.path, &mode);
        if (r < 0)
                return r;

        file.fd = nameless_open(file.path);
        if (file.fd == -EOPNOTSUPP || file.fd == -EISDIR)
                file.fd = named_open(file.path, &file.temporary);
        if (file.fd < 0)
                return file.fd;
        r = RET_ERRNO(fchmod(file.fd, mode));
        if (r < 0)
                return r;

        *ret = file;
        file = OUTPUT_FILE_NONE;
        return 0;
}

int output_file_resume(const char *path, OutputFile *ret)
{
        _cleanup_(output_file_done) OutputFile file = { .fd = -1, .keep = true };
        mode_t mode;
        int r;

        r = path_resolve(path, &file.path, &mode);
        if (r < 0)
                return r;
        if (text_format(&file.temporary, "%s.partial", file.path) < 0)
                return -ENOMEM;

        file.fd = disk_io()->open(file.temporary, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                                  OUTPUT_MODE);
        if (file.fd < 0)
                return file.fd;
        r = RET_ERRNO(flock(file.fd, LOCK_EX | LOCK_NB));
        if (r >= 0)
                r = RET_ERRNO(fchmod(file.fd, mode));
        if (r >= 0)
                r = directory_sync_of(file.temporary); /* the name has to survive a crash too */
        if (r < 0)
                return r;

        *ret = file;
        file = OUTPUT_FILE_NONE;
        return 0;
}

int output_file_commit(OutputFile *file)
{
        int r;

        r = disk_io()->sync(file->fd);
        if (r >= 0 && !file->temporary)
                r = nameless_name(file);
        if (r < 0)
                return r;
        r = disk_io()->rename(file->temporary, file->path);
        if (r < 0)
                return r;

        free(file->temporary);
        file->temporary = NULL;
        return directory_sync_of(file->path);
}

int output_file_scratch(const char *path)
{
        _cleanup_free_ char *temporary = NULL;
        int fd = nameless_open(path);

        if (fd != -EOPNOTSUPP && fd != -EISDIR)
                return fd;

        fd = named_open(path, &temporary);
        if (fd >= 0)
                (void)unlink(temporary); /* a file with a name is no worse than none */
        return fd;
}
