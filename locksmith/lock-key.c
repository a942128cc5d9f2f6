#include <stdio.h>

#include "base/buffer.h"
#include "base/text.h"
#include "lock-key.h"

/* Every byte becomes at most three. */
#define ESCAPED_MAX (3 * LOCK_NAME_MAX + 1)

static int name_escape(const char *name, char **ret)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(ESCAPED_MAX);
        int r = 0;

        if (strlen(name) > LOCK_NAME_MAX)
                return -ENAMETOOLONG;

        for (const char *p = name; *p && r >= 0; p++)
                if (text_is_url_plain(*p))
                        r = buffer_append(&buffer, p, 1);
                else if (*p == ' ')
                        r = buffer_append_text(&buffer, "+");
                else
                        r = buffer_appendf(&buffer, "%%%02X", (unsigned char)*p);
        if (r < 0)
                return r;

        return buffer_take_text(&buffer, ret, NULL);
}

/* "ROOT[/middle]/[groups/GROUP/]leaf" */
static int key_join(const char *middle, const char *group, const char *leaf, char **ret)
{
        _cleanup_free_ char *escaped = NULL;
        int r;

        if (is_empty(group))
                return text_format(ret, LOCK_KEY_ROOT "%s/%s", middle, leaf);
        if (streq(group, ".") || streq(group, ".."))
                return -EINVAL;

        r = name_escape(group, &escaped);
        if (r < 0)
                return r;
        return text_format(ret, LOCK_KEY_ROOT "%s/groups/%s/%s", middle, escaped, leaf);
}

int lock_key_semaphore(const char *group, char **ret)
{
        return key_join("", group, "semaphore", ret);
}

static int side_key(const char *group, const char *kind, const char *id, char **ret)
{
        _cleanup_free_ char *escaped = NULL, *leaf = NULL;
        int r;

        r = name_escape(id ? id : "", &escaped);
        if (r < 0)
                return r;
        if (text_format(&leaf, "%s/%s", kind, escaped) < 0)
                return -ENOMEM;

        return key_join("/sluice", group, leaf, ret);
}

int lock_key_holder(const char *group, const char *id, char **ret)
{
        return side_key(group, "holders", id, ret);
}

int lock_key_ticket(const char *group, const char *id, char **ret)
{
        return side_key(group, "queue", id, ret);
}

int lock_key_host(const char *group, const char *id, char **ret)
{
        return side_key(group, "hosts", id, ret);
}

int lock_key_away(const char *group, const char *id, char **ret)
{
        return side_key(group, "away", id, ret);
}

int lock_key_keep(const char *group, const char *id, char **ret)
{
        return side_key(group, "keep", id, ret);
}

int lock_key_freed(const char *group, const char *id, char **ret)
{
        return side_key(group, "freed", id, ret);
}

int lock_key_policy(const char *group, char **ret)
{
        return key_join("/sluice/+policy", group, "policy", ret);
}

bool lock_key_is_semaphore(const char *key)
{
        const char *slash = strrchr(key, '/');

        return slash && streq(slash, "/semaphore");
}

int lock_key_pause(const char *group, char **ret)
{
        return key_join("/sluice", group, "pause", ret);
}

int lock_key_moved(const char *group, char **ret)
{
        return key_join("/sluice", group, "moved", ret);
}

static int hex_value(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -EBADMSG;
}

/* One character of an escaped name; moves *p behind it. Returns the byte, or -EBADMSG. */
static int byte_unescape(const char **p)
{
        const char *text = *p;
        int high, low;

        *p += 1;
        if (*text == '+')
                return ' ';
        if (*text != '%')
                return text_is_url_plain(*text) ? (unsigned char)*text : -EBADMSG;

        high = hex_value(text[1]);
        low = high < 0 ? -EBADMSG : hex_value(text[2]);
        if (low < 0 || high * 16 + low == 0)
                return -EBADMSG;
        *p += 2;
        return high * 16 + low;
}

int lock_key_id(const char *prefix, const char *key, char **ret)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(LOCK_NAME_MAX);
        const char *rest = after_prefix(key, prefix);
        int r;

        if (!rest)
                return -EBADMSG;
        while (*rest) {
                int byte = byte_unescape(&rest);
                char c = (char)byte;

                if (byte < 0)
                        return byte;
                r = buffer_append(&buffer, &c, 1);
                if (r < 0)
                        return r == -EFBIG ? -EBADMSG : r;
        }

        return buffer_take_text(&buffer, ret, NULL);
}
