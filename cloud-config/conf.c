#include <stdio.h>

#include "cloud-config/conf.h"

/* locksmithd looks for this name first, then for the one without. */
#define PREFIX "LOCKSMITHD_"

static const char *const paths[CONF_FILES] = {
        UPDATE_CONF_PATH,
        "/etc/flatcar/update.conf",
        VENDOR_CONF_PATH,
        "/usr/share/flatcar/update.conf",
};

void conf_done(Conf *conf)
{
        for (size_t i = 0; i < CONF_FILES; i++)
                env_file_done(&conf->files[i]);
}

int conf_read(const char *root, Conf *ret)
{
        _cleanup_(conf_done) Conf conf = {};
        int r;

        for (size_t i = 0; i < CONF_FILES; i++) {
                r = env_file_read(root, paths[i], NULL, NULL, &conf.files[i]);
                if (r < 0 && r != -ENOENT && r != -ENOTDIR)
                        return r;
        }

        *ret = conf;
        conf = (Conf) {};
        return 0;
}

const char *conf_get(const Conf *conf, const char *variable, const char **ret_path)
{
        for (size_t i = 0; i < CONF_FILES; i++) {
                const char *value = env_file_get(&conf->files[i], variable);

                if (is_empty(value))
                        continue;
                *ret_path = paths[i];
                return value;
        }

        return NULL;
}

int conf_overrides(const Conf *conf, const char *variable, const char **ret_path, char **ret_name)
{
        const char *path = NULL;
        char *name;

        if (asprintf(&name, "%s%s", after_prefix(variable, PREFIX) ? "" : PREFIX, variable) < 0)
                return -ENOMEM;
        if (!conf_get(conf, name, &path) && conf_get(conf, variable, &path))
                memmove(name, name + strlen(name) - strlen(variable), strlen(variable) + 1);

        if (!path) {
                free(name);
                name = NULL;
        }
        *ret_path = path;
        *ret_name = name;
        return 0;
}
