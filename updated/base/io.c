#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/disk-io.h"
#include "base/io.h"
#include "base/text.h"

#define TEMPORARY_LETTERS 6

int root_join(const char *root, const char *path, char **ret)
{
        bool host = is_empty(root) || streq(root, "/");
        char *joined;

        if (!host && text_format(&joined, "%s%s%s", root, *path == '/' ? "" : "/", path) < 0)
                return -ENOMEM;
        if (host)
                joined = strdup(path);
        if (!joined)
                return -ENOMEM;

        *ret = joined;
        return 0;
}

int root_open(const char *root, const char *path, int flags, mode_t mode)
{
        _cleanup_free_ char *full = NULL;
        int r;

        r = root_join(root, path, &full);
        if (r < 0)
                return r;

        return disk_io()->open(full, flags | O_CLOEXEC, mode);
}

ssize_t read_some(int fd, void *data, size_t size)
{
        ssize_t n;

        do
                n = disk_io()->read(fd, data, size);
        while (n == -EINTR);

        return n;
}

int fd_read_all(int fd, size_t max, char **ret, size_t *ret_size)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(max);
        char chunk[16384];
        int r;

        for (;;) {
                ssize_t n = read_some(fd, chunk, sizeof(chunk));
                if (n < 0)
                        return (int)n;
                if (n == 0)
                        break;

                r = buffer_append(&buffer, chunk, (size_t)n);
                if (r < 0)
                        return r;
        }

        if (!ret_size && buffer.size > 0 && memchr(buffer.data, 0, buffer.size))
                return -EBADMSG;
        return buffer_take_text(&buffer, ret, ret_size);
}

int file_read(const char *root, const char *path, size_t max, char **ret, size_t *ret_size)
{
        _cleanup_close_ int fd = -1;

        fd = root_open(root, path, O_RDONLY, 0);
        if (fd < 0)
                return fd;

        return fd_read_all(fd, max, ret, ret_size);
}

int file_read_line(const char *root, const char *path, char **ret)
{
        _cleanup_free_ char *text = NULL;
        char *line;
        int r;

        r = file_read(root, path, IO_SMALL_FILE_MAX, &text, NULL);
        if (r < 0)
                return r;

        line = strdup(text_strip(text));
        if (!line)
                return -ENOMEM;

        *ret = line;
        return 0;
}

int write_full(int fd, const void *data, size_t size)
{
        const char *p = data;

        while (size > 0) {
                ssize_t n = disk_io()->write(fd, p, size);
                if (n == -EINTR)
                        continue;
                if (n < 0)
                        return (int)n;
                if (n == 0)
                        return -EIO;
                p += n;
                size -= (size_t)n;
        }

        return 0;
}

int pwrite_full(int fd, const void *data, size_t size, uint64_t offset)
{
        const char *p = data;

        while (size > 0) {
                ssize_t n = disk_io()->pwrite(fd, p, size, offset);
                if (n == -EINTR)
                        continue;
                if (n < 0)
                        return (int)n;
                if (n == 0)
                        return -ENOSPC; /* the end of a block device */
                p += n;
                size -= (size_t)n;
                offset += (uint64_t)n;
        }

        return 0;
}

int pread_full(int fd, void *data, size_t size, uint64_t offset)
{
        char *p = data;

        while (size > 0) {
                ssize_t n = disk_io()->pread(fd, p, size, offset);
                if (n == -EINTR)
                        continue;
                if (n < 0)
                        return (int)n;
                if (n == 0)
                        return -ENODATA;
                p += n;
                size -= (size_t)n;
                offset += (uint64_t)n;
        }

        return 0;
}

int directory_sync_of(const char *path)
{
        _cleanup_free_ char *directory = NULL;
        _cleanup_close_ int fd = -1;
        const char *slash = strrchr(path, '/');

        directory = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
        if (!directory)
                return -ENOMEM;

        fd = disk_io()->open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
        if (fd < 0)
                return fd;

        return disk_io()->sync(fd);
}

int parents_make(const char *path, mode_t mode)
{
        _cleanup_free_ char *copy = strdup(path);
        int r;

        if (!copy)
                return -ENOMEM;

        for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = 0;
                r = disk_io()->mkdir(copy, mode);
                if (r == 0)
                        r = directory_sync_of(copy);
                if (r < 0 && r != -EEXIST)
                        return r;
                *slash = '/';
        }

        return 0;
}

/* Creates a file that was not there: path and a dot and some letters. */
static int temporary_create(const char *path, char **ret_path)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567"; /* five bits each */
        uint32_t chance;
        int fd;

        do {
                _cleanup_free_ char *temporary = NULL;
                char ending[TEMPORARY_LETTERS + 1] = {};

                if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
                        return -EIO;
                for (size_t i = 0; i < TEMPORARY_LETTERS; i++)
                        ending[i] = letters[chance >> 5 * i & 31];
                if (text_format(&temporary, "%s.%s", path, ending) < 0)
                        return -ENOMEM;
                fd = disk_io()->open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
                if (fd >= 0)
                        *ret_path = TAKE_PTR(temporary);
        } while (fd == -EEXIST);

        return fd;
}

/* Writes and syncs the temporary file; the caller removes it on failure. */
static int file_write_temporary(int fd, const void *data, size_t size, mode_t mode)
{
        int r;

        r = RET_ERRNO(fchmod(fd, mode));
        if (r < 0)
                return r;

        r = write_full(fd, data, size);
        if (r < 0)
                return r;

        return disk_io()->sync(fd);
}

int file_replace(const char *root, const char *path, const void *data, size_t size, mode_t mode)
{
        _cleanup_free_ char *full = NULL, *temporary = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        r = root_join(root, path, &full);
        if (r < 0)
                return r;

        r = parents_make(full, 0755);
        if (r < 0)
                return r;

        fd = temporary_create(full, &temporary);
        if (fd < 0)
                return fd;

        r = file_write_temporary(fd, data, size, mode);
        if (r >= 0)
                r = disk_io()->rename(temporary, full);
        if (r < 0) {
                (void)disk_io()->unlink(temporary); /* the first error is the one to report */
                return r;
        }

        return directory_sync_of(full);
}

int file_remove(const char *root, const char *path)
{
        _cleanup_free_ char *full = NULL;
        int r;

        r = root_join(root, path, &full);
        if (r < 0)
                return r;

        r = disk_io()->unlink(full);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;

        return directory_sync_of(full);
}
