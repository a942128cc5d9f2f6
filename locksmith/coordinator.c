#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/disk-io.h"
#include "base/io.h"
#include "base/text.h"
#include "coordinator.h"

#define FILE_MODE  0644
#define OPEN_TRIES 10

/* Is the file that fd has open still the one under that name? */
static bool is_current(int fd, const char *path)
{
        struct stat ours, named;

        return fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_dev == named.st_dev
               && ours.st_ino == named.st_ino;
}

int coordinator_become(const char *root, Coordinator *ret)
{
        _cleanup_free_ char *path = NULL;
        int r;

        r = root_join(root, COORDINATOR_FILE, &path);
        if (r >= 0)
                r = parents_make(path, 0755);
        if (r < 0)
                return r;

        for (unsigned i = 0; i < OPEN_TRIES; i++) {
                _cleanup_close_ int fd =
                        RET_ERRNO(open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE));

                if (fd < 0)
                        return fd;
                r = RET_ERRNO(flock(fd, LOCK_EX | LOCK_NB));
                if (r < 0)
                        return r;
                if (is_current(fd, path)) {
                        *ret = (Coordinator) { .root = root, .fd = TAKE_FD(fd) };
                        return 0;
                }
        }

        return -EWOULDBLOCK; /* somebody replaces the file as fast as we open it */
}

int coordinator_adopt(const char *root, int fd, Coordinator *ret)
{
        _cleanup_free_ char *path = NULL;
        int r;

        r = root_join(root, COORDINATOR_FILE, &path);
        if (r >= 0 && !is_current(fd, path))
                r = -ESTALE;
        if (r >= 0)
                r = RET_ERRNO(flock(fd, LOCK_EX | LOCK_NB)); /* nothing new if it has the lock */
        if (r >= 0)
                r = RET_ERRNO(fcntl(fd, F_SETFD, FD_CLOEXEC));
        if (r < 0)
                return r;

        *ret = (Coordinator) { .root = root, .fd = fd };
        return 0;
}

static void reason_tame(char *reason)
{
        for (char *p = reason; *p; p++)
                if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ._:;,/()[]+=-",
                            *p))
                        *p = '_';
}

static int text_make(const char *strategy, const char *state, const char *reason, char **ret)
{
        _cleanup_free_ char *tame = strdup(reason);

        if (!tame)
                return -ENOMEM;
        reason_tame(tame);

        if (!*tame)
                return text_format(ret, "NAME=locksmithd\nSTRATEGY=%s\nSTATE=%s\n", strategy,
                                   state);
        return text_format(ret, "NAME=locksmithd\nSTRATEGY=%s\nSTATE=%s\nREASON=\"%s\"\n", strategy,
                           state, tame);
}

/* The new file is locked before it gets the name: there is no moment without a lock. */
static int file_swap(Coordinator *coordinator, const char *text, const char *path)
{
        _cleanup_free_ char *temporary = NULL;
        _cleanup_close_ int fd = temporary_create(path, &temporary);
        int r;

        if (fd < 0)
                return fd;

        r = temporary_fill(fd, text, strlen(text), FILE_MODE);
        if (r >= 0)
                r = RET_ERRNO(flock(fd, LOCK_EX | LOCK_NB));
        if (r >= 0)
                r = disk_io()->rename(temporary, path);
        if (r < 0) {
                (void)disk_io()->unlink(temporary); /* the error above is the one to tell */
                return r;
        }

        (void)close_fd(coordinator->fd);
        coordinator->fd = TAKE_FD(fd);
        return 0;
}

int coordinator_write(Coordinator *coordinator, const char *strategy, const char *state,
                      const char *reason)
{
        _cleanup_free_ char *path = NULL, *text = NULL;
        int r;

        r = root_join(coordinator->root, COORDINATOR_FILE, &path);
        if (r >= 0)
                r = text_make(strategy, state, reason, &text);
        if (r < 0)
                return r;

        return file_swap(coordinator, text, path);
}

void coordinator_done(Coordinator *coordinator)
{
        coordinator->fd = close_fd(coordinator->fd);
}
