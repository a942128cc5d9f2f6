#include <stdio.h>

#include "base/conf.h"
#include "base/text.h"

const char *const conf_paths[CONF_FILES] = {
        CONF_PATH,
        "/etc/flatcar/update.conf",
        "/usr/share/coreos/update.conf",
        "/usr/share/flatcar/update.conf",
};

void conf_done(Conf *conf)
{
        env_file_done(&conf->drop_in);
        for (size_t i = 0; i < CONF_FILES; i++)
                env_file_done(&conf->files[i]);
        *conf = (Conf) {};
}

int conf_read_file(const char *root, size_t i, EnvFileWarn warn, void *userdata, Conf *conf)
{
        int r = env_file_read(root, conf_paths[i], warn, userdata, &conf->files[i]);

        return r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

int conf_read(const char *root, EnvFileWarn warn, void *userdata, Conf *conf)
{
        int r = 0;

        for (size_t i = 0; i < CONF_FILES && r >= 0; i++)
                r = conf_read_file(root, i, warn, userdata, conf);
        return r;
}

/* Undoes what systemd wants inside quotes: \\ and \", and %% for a percent sign. */
static void value_unescape(char *text)
{
        char *to = text;

        for (const char *from = text; *from; from++) {
                if ((*from == '\\' && (from[1] == '\\' || from[1] == '"'))
                    || (*from == '%' && from[1] == '%'))
                        from++;
                *to++ = *from;
        }
        *to = 0;
}

/* From Environment="NAME=value" to NAME and value; a line of another kind loses its key. */
static int drop_in_entry(EnvEntry *entry)
{
        char *equals = strchr(entry->value, '=');
        int r;

        if (!streq(entry->key, "Environment") || !equals) {
                *entry->key = 0;
                return 0;
        }

        *equals = 0;
        r = text_set(&entry->key, entry->value);
        if (r < 0)
                return r;

        memmove(entry->value, equals + 1, strlen(equals + 1) + 1);
        value_unescape(entry->value);
        return 0;
}

int conf_read_drop_in(const char *root, Conf *conf)
{
        EnvFile *file = &conf->drop_in;
        int r;

        /* It is written in systemd's own syntax: lines of other kinds are none of our business. */
        r = env_file_read(root, CONF_DROP_IN, NULL, NULL, file);
        if (r == -ENOENT || r == -ENOTDIR)
                return 0;
        for (size_t i = 0; i < file->n_entries && r >= 0; i++)
                r = drop_in_entry(&file->entries[i]);
        return r;
}

static bool value_from(const EnvFile *file, const char *name, ConfValue *ret)
{
        const EnvEntry *entry = env_file_find(file, name);

        if (!entry || is_empty(entry->value))
                return false;

        *ret = (ConfValue) { entry->value, name, file->path, entry->line };
        return true;
}

ConfValue conf_find(const Conf *conf, const char *const *names)
{
        ConfValue value = {};

        for (; *names; names++) {
                const char *text = conf->environment ? getenv(*names) : NULL;

                if (!is_empty(text))
                        return (ConfValue) { .text = text, .name = *names };
                if (value_from(&conf->drop_in, *names, &value))
                        return value;
                for (size_t i = 0; i < CONF_FILES; i++)
                        if (value_from(&conf->files[i], *names, &value))
                                return value;
        }

        return value;
}

int conf_origin(const ConfValue *value, char **ret)
{
        if (!value->text)
                return text_format(ret, "default");
        if (value->path)
                return text_format(ret, "%s:%u", value->path, value->line);
        return text_format(ret, "%s in the environment", value->name);
}
