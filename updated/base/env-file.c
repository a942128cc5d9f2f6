#include <ctype.h>

#include "base/env-file.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"

void env_file_done(EnvFile *file)
{
        for (size_t i = 0; i < file->n_entries; i++) {
                free(file->entries[i].key);
                free(file->entries[i].value);
        }
        free(file->entries);
        free(file->path);
        *file = (EnvFile) {};
}

void env_file_log(const char *path, unsigned line, const char *why, _unused_ void *userdata)
{
        log_warning("%s:%u: %s; the line is ignored", path, line, why);
}

static bool key_is_valid(const char *key)
{
        if (!isalpha((unsigned char)*key) && *key != '_')
                return false;
        for (const char *p = key; *p; p++)
                if (!isalnum((unsigned char)*p) && *p != '_')
                        return false;
        return true;
}

static int env_file_add(EnvFile *file, const char *key, const char *value, unsigned line)
{
        _cleanup_free_ char *k = strdup(key), *v = strdup(value);
        EnvEntry *entries;

        if (!k || !v)
                return -ENOMEM;

        entries = reallocarray(file->entries, file->n_entries + 1, sizeof(EnvEntry));
        if (!entries)
                return -ENOMEM;

        file->entries = entries;
        entries[file->n_entries++] =
                (EnvEntry) { .key = TAKE_PTR(k), .value = TAKE_PTR(v), .line = line };
        return 0;
}

/* Takes one pair of quotes off. Returns NULL, or what is wrong with the value. */
static const char *value_unquote(char **value)
{
        char *v = *value;
        size_t n = strlen(v);

        if (*v != '"' && *v != '\'')
                return NULL;
        if (n < 2 || v[n - 1] != *v)
                return "the quote is not closed";

        v[n - 1] = 0;
        *value = v + 1;
        return NULL;
}

/* Returns 1 when the line was used up, or 0 with *why set, or -errno. */
static int env_file_line(EnvFile *file, char *line, unsigned number, const char **why)
{
        char *value, *key = text_strip(line);
        int r;

        if (!*key || *key == '#' || *key == ';')
                return 1;

        value = strchr(key, '=');
        if (!value)
                return *why = "there is no \"=\" in it", 0;
        *value++ = 0;
        key = text_strip(key);

        if (!key_is_valid(key))
                return *why = "the part before \"=\" is not a name of letters, digits and \"_\"", 0;
        if (!text_is_utf8(value, strlen(value)))
                return *why = "the value is not UTF-8", 0;

        value = text_strip(value);
        *why = value_unquote(&value);
        if (*why)
                return 0;

        r = env_file_add(file, key, value, number);
        return r < 0 ? r : 1;
}

int env_file_parse(const char *path, const char *text, EnvFileWarn warn, void *userdata,
                   EnvFile *ret)
{
        _cleanup_(env_file_done) EnvFile file = {};
        _cleanup_free_ char *copy = strdup(text);
        unsigned number = 0;
        char *rest = copy, *line;
        int r;

        file.path = strdup(path);
        if (!copy || !file.path)
                return -ENOMEM;

        while ((line = strsep(&rest, "\n"))) {
                const char *why = NULL;

                r = env_file_line(&file, line, ++number, &why);
                if (r < 0)
                        return r;
                if (r == 0 && warn)
                        warn(path, number, why, userdata);
        }

        *ret = file;
        file = (EnvFile) {};
        return 0;
}

int env_file_read(const char *root, const char *path, EnvFileWarn warn, void *userdata,
                  EnvFile *ret)
{
        _cleanup_free_ char *text = NULL;
        int r;

        r = file_read(root, path, IO_SMALL_FILE_MAX, &text, NULL);
        if (r < 0)
                return r;

        return env_file_parse(path, text, warn, userdata, ret);
}

const EnvEntry *env_file_find(const EnvFile *file, const char *key)
{
        for (size_t i = file->n_entries; i > 0; i--)
                if (streq(file->entries[i - 1].key, key))
                        return &file->entries[i - 1];

        return NULL;
}

const char *env_file_get(const EnvFile *file, const char *key)
{
        const EnvEntry *entry = env_file_find(file, key);

        return entry ? entry->value : NULL;
}
