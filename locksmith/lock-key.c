#include <stdio.h>

#include "base/buffer.h"
#include "lock-key.h"

/* Every byte becomes at most three. */
#define ESCAPED_MAX (3 * LOCK_NAME_MAX + 1)

static bool is_plain(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
               || c == '-' || c == '_' || c == '.' || c == '~';
}

static int name_escape(const char *name, char **ret)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(ESCAPED_MAX);
        int r = 0;

        if (strlen(name) > LOCK_NAME_MAX)
                return -ENAMETOOLONG;

        for (const char *p = name; *p && r >= 0; p++)
                if (is_plain(*p))
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
        char *key;
        int r;

        if (is_empty(group))
                r = asprintf(&key, LOCK_KEY_ROOT "%s/%s", middle, leaf);
        else {
                if (streq(group, ".") || streq(group, ".."))
                        return -EINVAL;
                r = name_escape(group, &escaped);
                if (r < 0)
                        return r;
                r = asprintf(&key, LOCK_KEY_ROOT "%s/groups/%s/%s", middle, escaped, leaf);
        }
        if (r < 0)
                return -ENOMEM;

        *ret = key;
        return 0;
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
        if (asprintf(&leaf, "%s/%s", kind, escaped) < 0)
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
