#include "channel.h"
#include "base/buffer.h"
#include "base/io.h"
#include "base/text.h"

#define CHANNEL_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define CHANNEL_KEY     "GROUP"
#define CONF_OURS       "/etc/coreos/update.conf"
#define CONF_OTHER      "/etc/flatcar/update.conf"
#define CONF_MODE       0644

bool channel_is_valid(const char *channel)
{
        size_t n = strlen(channel);

        return n > 0 && n <= CHANNEL_MAX && strspn(channel, CHANNEL_LETTERS) == n;
}

/* "  GROUP = x", as env-file.c reads it: blanks before and behind the key do not matter. */
static bool line_sets_group(const char *line, size_t n)
{
        size_t blanks = strspn(line, " \t"), key = sizeof(CHANNEL_KEY) - 1;

        if (blanks + key >= n || strncmp(line + blanks, CHANNEL_KEY, key) != 0)
                return false;
        key += blanks;
        key += strspn(line + key, " \t");
        return key < n && line[key] == '=';
}

int channel_replace(const char *text, const char *channel, bool append, char **ret)
{
        _cleanup_(buffer_done) Buffer out = BUFFER_MAX(2 * IO_SMALL_FILE_MAX);
        bool found = false, newline = true;
        int r = 0;

        if (strlen(text) > IO_SMALL_FILE_MAX)
                return -EFBIG;
        for (const char *line = text; *line && r >= 0;) {
                size_t n = strcspn(line, "\n");
                bool group = line_sets_group(line, n);

                newline = line[n] == '\n';
                found |= group;
                r = group ? buffer_appendf(&out, CHANNEL_KEY "=%s", channel)
                          : buffer_append(&out, line, n);
                if (r >= 0 && newline)
                        r = buffer_append_text(&out, "\n");
                line += n + newline;
        }
        if (r >= 0 && !found && append)
                r = buffer_appendf(&out, "%s" CHANNEL_KEY "=%s\n", newline ? "" : "\n", channel);
        if (r < 0)
                return r;

        r = buffer_take_text(&out, ret, NULL);
        return r < 0 ? r : found || append;
}

/* Returns 1 when the file sets GROUP now. */
static int channel_write_file(const char *root, const char *path, const char *channel, bool append)
{
        _cleanup_free_ char *before = NULL, *after = NULL;
        int r, set;

        r = file_read(root, path, IO_SMALL_FILE_MAX, &before, NULL);
        if (r < 0 && r != -ENOENT)
                return r;
        set = channel_replace(before ? before : "", channel, append, &after);
        if (set <= 0 || streq_null(before, after))
                return set;

        r = file_replace(root, path, after, strlen(after), CONF_MODE);
        return r < 0 ? r : set;
}

int channel_write(const char *root, const char *channel)
{
        int r, other;

        if (!channel_is_valid(channel))
                return -EINVAL;

        other = channel_write_file(root, CONF_OTHER, channel, false);
        if (other < 0)
                return other;
        r = channel_write_file(root, CONF_OURS, channel, other == 0);
        return r < 0 ? r : 0;
}
