#include <sys/stat.h>

#include "base/io.h"
#include "base/text.h"
#include "base/update-conf.h"
#include "channel.h"

#define CHANNEL_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define CHANNEL_KEY     "GROUP"
#define CONF_OURS       "/etc/coreos/update.conf"
#define CONF_OTHER      "/etc/flatcar/update.conf"
#define CONF_MODE       0644 /* of a new file */

bool channel_is_valid(const char *channel)
{
        size_t n = strlen(channel);

        return n > 0 && n <= CHANNEL_MAX && strspn(channel, CHANNEL_LETTERS) == n;
}

/* There may be a password in it: who may read it stays as it was. */
static int conf_replace(const char *root, const char *path, const char *text)
{
        _cleanup_free_ char *full = NULL;
        struct stat status;
        int r;

        r = root_join(root, path, &full);
        if (r < 0)
                return r;

        return file_replace(root, path, text, strlen(text),
                            stat(full, &status) < 0 ? CONF_MODE : status.st_mode & 07777);
}

/* Returns 1 when the file sets GROUP now. */
static int conf_set_channel(const char *root, const char *path, const char *channel, bool append,
                            char **ret_why)
{
        const Assignment assignment = { CHANNEL_KEY, channel };
        _cleanup_free_ char *before = NULL, *after = NULL, *line = NULL;
        const char *why = NULL;
        unsigned number = 0;
        int r;

        r = file_read(root, path, IO_SMALL_FILE_MAX, &before, NULL);
        if (r == -ENOENT)
                r = text_set(&before, "");
        if (r >= 0)
                r = update_conf_line(before, CHANNEL_KEY, &line);
        if (r < 0)
                return r;
        if (!line && !append)
                return 0;

        r = update_conf_merge(before, &assignment, 1, &after, &number, &why);
        if (r == -EBADMSG)
                (void)text_format(ret_why, "%s:%u: %s", path, number, why);
        if (r < 0)
                return r;
        r = streq(before, after) ? 0 : conf_replace(root, path, after);
        return r < 0 ? r : 1;
}

int channel_write(const char *root, const char *channel, char **ret_why)
{
        _cleanup_close_ int lock = -1;
        int other, r;

        if (!channel_is_valid(channel))
                return -EINVAL;
        lock = update_conf_lock(root, 0);
        if (lock == -EBUSY)
                *ret_why = strdup("another program is changing update.conf; try again when "
                                  "it has finished"); /* or without it */
        if (lock < 0)
                return lock;

        other = conf_set_channel(root, CONF_OTHER, channel, false, ret_why);
        if (other < 0)
                return other;
        r = conf_set_channel(root, CONF_OURS, channel, other == 0, ret_why);
        return r < 0 ? r : 0;
}
