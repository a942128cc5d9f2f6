#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
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

static const char temporary_letters[] = "abcdefghijklmnopqrstuvwxyz234567"; /* five bits each */

int temporary_name(const char *path, char **ret)
{
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        char ending[TEMPORARY_LETTERS + 1] = {};
        uint32_t chance;

        if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
                return -EIO;
        for (size_t i = 0; i < TEMPORARY_LETTERS; i++)
                ending[i] = temporary_letters[chance >> 5 * i & 31];
        return text_format(ret, "%.*s" TEMPORARY_PREFIX "%s.%s", (int)(name - path), path, name,
                           ending);
}

int temporary_create(const char *path, char **ret_path)
{
        int fd;

        do {
                _cleanup_free_ char *temporary = NULL;
                int r = temporary_name(path, &temporary);

                if (r < 0)
                        return r;
                fd = disk_io()->open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
                if (fd >= 0)
                        *ret_path = TAKE_PTR(temporary);
        } while (fd == -EEXIST);

        return fd;
}

int temporary_fill(int fd, const void *data, size_t size, mode_t mode)
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

static bool is_temporary_name(const char *name)
{
        const char *rest = after_prefix(name, TEMPORARY_PREFIX), *dot = strrchr(name, '.');

        return rest && dot > rest && strlen(dot + 1) == TEMPORARY_LETTERS
               && dot[1 + strspn(dot + 1, temporary_letters)] == 0;
}

static bool is_leftover(int directory, const char *name, uint64_t now)
{
        struct stat status;

        return is_temporary_name(name)
               && fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0
               && S_ISREG(status.st_mode) && status.st_uid == geteuid() && status.st_nlink == 1
               && status.st_mtime >= 0 && (uint64_t)status.st_mtime <= now
               && now - (uint64_t)status.st_mtime > TEMPORARY_AGE;
}

static int leftover_remove(const char *directory, const char *name)
{
        _cleanup_free_ char *path = NULL;

        if (text_format(&path, "%s/%s", directory, name) < 0)
                return -ENOMEM;
        return disk_io()->unlink(path);
}

int directory_names(int fd, const char *pattern, TextList *ret)
{
        _cleanup_(text_list_done) TextList names = {};
        struct dirent **entries;
        int n = RET_ERRNO(scandirat(fd, ".", &entries, NULL, alphasort)), r = 0;

        if (n < 0)
                return n;

        for (int i = 0; i < n; i++) {
                if (r >= 0 && (!pattern || fnmatch(pattern, entries[i]->d_name, FNM_PERIOD) == 0))
                        r = text_list_add(&names, entries[i]->d_name);
                free(entries[i]);
        }
        free(entries);
        if (r < 0)
                return r;

        *ret = names;
        names = (TextList) {};
        return 0;
}

static int directory_sweep(const char *root, const char *directory, uint64_t now)
{
        _cleanup_(text_list_done) TextList names = {};
        _cleanup_free_ char *full = NULL;
        _cleanup_close_ int fd = -1;
        int n_removed = 0, r;

        r = root_join(root, directory, &full);
        if (r < 0)
                return r;
        fd = RET_ERRNO(open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        r = fd < 0 ? fd : directory_names(fd, NULL, &names);
        if (r < 0)
                return r == -ENOENT ? 0 : r;

        for (size_t i = 0; i < names.n_items && r >= 0; i++)
                if (is_leftover(fd, names.items[i], now)) {
                        r = leftover_remove(full, names.items[i]);
                        n_removed += r >= 0;
                }
        return r < 0 ? r : n_removed;
}

int temporaries_sweep(const char *root, const char *const *directories, uint64_t now)
{
        int n_removed = 0, result = 0;

        for (; *directories; directories++) {
                int r = directory_sweep(root, *directories, now);

                n_removed += MAX_OF(r, 0);
                if (r < 0 && result == 0)
                        result = r;
        }

        return result < 0 ? result : n_removed;
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

        r = temporary_fill(fd, data, size, mode);
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
