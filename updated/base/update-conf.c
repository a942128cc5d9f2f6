#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#include "base/buffer.h"
#include "base/io.h"
#include "base/text.h"
#include "base/update-conf.h"

#define BLANKS          " \t\r"
#define LOCK_RETRY_NSEC 50000000 /* flock() knows no timeout */

/* One line of the file, borrowed, without its end. */
typedef struct Line {
        const char *text;
        size_t size;
} Line;

static bool line_next(const char **rest, Line *ret)
{
        if (!**rest)
                return false;

        *ret = (Line) { *rest, strcspn(*rest, "\n") };
        *rest += ret->size;
        if (**rest)
                (*rest)++;
        return true;
}

/* Does the line set key? As all readers see it: blanks around the key do not count. */
static bool line_sets(Line line, const char *key)
{
        const char *p = line.text, *end = line.text + line.size;
        size_t n = strlen(key);

        p += MIN_OF(strspn(p, BLANKS), line.size);
        if ((size_t)(end - p) <= n || strncmp(p, key, n) != 0)
                return false;
        p += n;
        p += MIN_OF(strspn(p, BLANKS), (size_t)(end - p));
        return p < end && *p == '=';
}

static bool line_is(Line line, const char *key, const char *value)
{
        size_t n = strlen(key), m = strlen(value);

        return line.size == n + 1 + m && strncmp(line.text, key, n) == 0 && line.text[n] == '='
               && memcmp(line.text + n + 1, value, m) == 0;
}

/* A line that may reach into the next one: for systemd and a shell, but not for the update engine. */
static const char *line_runs_on(Line line)
{
        const char *p = line.text, *equals;
        size_t n = line.size, backslashes = 0;

        while (n > 0 && strchr(BLANKS, p[n - 1]) && p[n - 1] != ' ' && p[n - 1] != '\t')
                n--;
        while (backslashes < n && p[n - 1 - backslashes] == '\\')
                backslashes++;
        if (backslashes % 2 == 1)
                return "the line ends in a backslash, so that some programs read on in the next one";

        equals = memchr(p, '=', n);
        p += MIN_OF(strspn(p, BLANKS), n);
        if (!equals || *p == '#' || *p == ';')
                return NULL;
        equals += 1 + strspn(equals + 1, " \t");
        while (n > 0 && (line.text[n - 1] == ' ' || line.text[n - 1] == '\t'))
                n--;
        if ((*equals == '"' || *equals == '\'')
            && (line.text + n - 1 <= equals || line.text[n - 1] != *equals))
                return "the quote is not closed in the same line";
        return NULL;
}

/* The lines of a key that is changed: its first becomes the new one, the others go. */
typedef struct Change {
        const Assignment *assignment;
        bool written;
} Change;

static Change *change_find(Change *changes, size_t n, Line line)
{
        for (size_t i = 0; i < n; i++)
                if (line_sets(line, changes[i].assignment->key))
                        return &changes[i];

        return NULL;
}

static int assignment_append(Buffer *buffer, const Assignment *assignment)
{
        return buffer_appendf(buffer, "%s=%s\n", assignment->key, assignment->value);
}

static int line_append(Buffer *buffer, Line line, Change *change, bool *changed)
{
        int r;

        if (!change
            || (!change->written && change->assignment->value
                && line_is(line, change->assignment->key, change->assignment->value))) {
                if (change)
                        change->written = true;
                r = buffer_append(buffer, line.text, line.size);
                return r < 0 ? r : buffer_append_text(buffer, "\n");
        }

        *changed = true;
        if (!change->assignment->value || change->written)
                return 0;
        change->written = true;
        return assignment_append(buffer, change->assignment);
}

static int lines_merge(const char *old, Change *changes, size_t n, Buffer *buffer, bool *changed,
                       unsigned *ret_line, const char **ret_why)
{
        unsigned number = 0;
        const char *rest = old;
        Line line;
        int r;

        while (line_next(&rest, &line)) {
                number++;
                *ret_why = line_runs_on(line);
                if (*ret_why) {
                        *ret_line = number;
                        return -EBADMSG;
                }
                r = line_append(buffer, line, change_find(changes, n, line), changed);
                if (r < 0)
                        return r;
        }

        for (size_t i = 0; i < n; i++) {
                if (changes[i].written || !changes[i].assignment->value)
                        continue;
                *changed = true;
                r = assignment_append(buffer, changes[i].assignment);
                if (r < 0)
                        return r;
        }

        return 0;
}

int update_conf_merge(const char *old, const Assignment *assignments, size_t n, char **ret,
                      unsigned *ret_line, const char **ret_why)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(2 * IO_SMALL_FILE_MAX);
        _cleanup_free_ Change *changes = calloc(n + 1, sizeof(Change));
        bool changed = false;
        int r;

        if (!changes)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                changes[i].assignment = &assignments[i];

        r = lines_merge(old, changes, n, &buffer, &changed, ret_line, ret_why);
        if (r < 0)
                return r;
        if (changed)
                return buffer_take_text(&buffer, ret, NULL);

        *ret = strdup(old);
        return *ret ? 0 : -ENOMEM;
}

int update_conf_line(const char *text, const char *key, char **ret)
{
        Line line, last = {};

        while (line_next(&text, &line))
                if (line_sets(line, key))
                        last = line;

        *ret = last.text ? strndup(last.text, last.size) : NULL;
        return last.text && !*ret ? -ENOMEM : 0;
}

static int lock_open(const char *root)
{
        _cleanup_free_ char *path = NULL;
        int r;

        r = root_join(root, UPDATE_CONF_LOCK "/", &path);
        if (r < 0)
                return r;
        r = parents_make(path, 0755);
        if (r < 0)
                return r;

        return RET_ERRNO(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

int update_conf_lock(const char *root, usec_t timeout)
{
        _cleanup_close_ int fd = lock_open(root);
        usec_t end = now_boottime() + timeout;

        if (fd < 0)
                return fd;

        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                const struct timespec pause = { .tv_nsec = LOCK_RETRY_NSEC };

                if (errno != EWOULDBLOCK && errno != EINTR)
                        return -errno;
                if (now_boottime() >= end)
                        return -EBUSY;
                (void)nanosleep(&pause, NULL); /* woken early, the next try is early */
        }

        return TAKE_FD(fd);
}
