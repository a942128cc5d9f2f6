#include <dirent.h>
#include <stdio.h>

#include "base/io.h"
#include "base/text.h"
#include "event-queue.h"

#define EVENT_MODE 0600 /* a request names the machine */

/* The numbers in the directory: how many, the lowest, the highest. */
typedef struct QueueEnds {
        size_t n;
        uint64_t first, last;
} QueueEnds;

static int event_path(uint64_t number, char **ret)
{
        return text_format(ret, EVENT_QUEUE_PATH "/%016llu", (unsigned long long)number);
}

/* Files of other names (temporary ones after a power cut) are not ours to judge. */
static int queue_ends(const char *root, QueueEnds *ret)
{
        _cleanup_free_ char *path = NULL;
        QueueEnds ends = {};
        struct dirent *entry;
        DIR *directory;
        int r;

        r = root_join(root, EVENT_QUEUE_PATH, &path);
        if (r < 0)
                return r;
        directory = opendir(path);
        if (!directory && errno != ENOENT)
                return -errno;

        while (directory && (entry = readdir(directory))) {
                uint64_t number;

                if (text_to_u64(entry->d_name, UINT64_MAX - 1, &number) < 0)
                        continue;
                ends.first = ends.n == 0 ? number : MIN_OF(ends.first, number);
                ends.last = MAX_OF(ends.last, number);
                ends.n++;
        }
        if (directory)
                (void)closedir(directory);

        *ret = ends;
        return 0;
}

static int event_read(const char *root, uint64_t number, char **ret)
{
        _cleanup_free_ char *path = NULL;
        int r;

        r = event_path(number, &path);
        if (r < 0)
                return r;
        return file_read(root, path, EVENT_SIZE_MAX, ret, NULL);
}

int event_queue_add(const char *root, const char *request)
{
        _cleanup_free_ char *path = NULL, *last = NULL;
        QueueEnds ends;
        int r;

        r = queue_ends(root, &ends);
        if (r < 0)
                return r;
        if (ends.n > 0 && event_read(root, ends.last, &last) >= 0 && streq(last, request))
                return 0;
        if (ends.n >= EVENT_QUEUE_MAX) {
                r = event_queue_remove(root, ends.first);
                if (r < 0)
                        return r;
        }

        r = event_path(ends.last + 1, &path);
        if (r < 0)
                return r;
        return file_replace(root, path, request, strlen(request), EVENT_MODE);
}

int event_queue_first(const char *root, uint64_t *ret_number, char **ret_request)
{
        QueueEnds ends;
        int r;

        for (;;) {
                r = queue_ends(root, &ends);
                if (r < 0)
                        return r;
                if (ends.n == 0)
                        return -ENOENT;

                r = event_read(root, ends.first, ret_request);
                if (r >= 0) {
                        *ret_number = ends.first;
                        return 0;
                }
                if (r != -EBADMSG && r != -EFBIG)
                        return r;
                /* Damaged: no server would understand it, and it must not hold up the others. */
                r = event_queue_remove(root, ends.first);
                if (r < 0)
                        return r;
        }
}

int event_queue_remove(const char *root, uint64_t number)
{
        _cleanup_free_ char *path = NULL;
        int r;

        r = event_path(number, &path);
        if (r < 0)
                return r;
        return file_remove(root, path);
}
