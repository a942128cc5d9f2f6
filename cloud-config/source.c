#include <fcntl.h>
#include <stdio.h>

#include "base/io.h"
#include "base/text.h"
#include "cloud-config/source-url.h"
#include "cloud-config/source.h"
#include "cloud-config/user-data.h"

/* The files, in the order in which they are looked for. */
static const char *const places[] = {
        "/media/configdrive/openstack/latest/user_data",
        "/media/configvirtfs/openstack/latest/user_data",
        "/var/lib/coreos-install/user_data",
        "/var/lib/flatcar-install/user_data",
        "/usr/share/oem/cloud-config.yml",
        "/usr/share/coreos/cloud-config.yml",
};

void source_done(Source *source)
{
        free(source->name);
        free(source->data);
        *source = (Source) {};
}

/* One byte more than allowed is read, so that the parser can say what is wrong. */
static int source_read_fd(int fd, Source *source)
{
        return fd_read_all(fd, USER_DATA_MAX + 1, &source->data, &source->size);
}

static int source_read_path(const char *root, const char *path, Source *source)
{
        _cleanup_close_ int fd = -1;

        fd = root_open(root, path, O_RDONLY | O_NOCTTY, 0);
        if (fd < 0)
                return fd;

        return source_read_fd(fd, source);
}

/* Says why a file could not be read. Returns error. */
static int source_explain(const char *name, int error, char **ret_why)
{
        int r = text_format(ret_why, "%s: %s", name,
                            error == -EFBIG ? "it is larger than 1 MiB" : strerror(-error));

        return r < 0 ? r : error;
}

int source_read(const char *name, Source *ret, char **ret_why)
{
        _cleanup_(source_done) Source source = {};
        int r;

        *ret_why = NULL;
        if (url_is_remote(name))
                return source_fetch(name, ret, ret_why);

        r = text_set(&source.name, streq(name, "-") ? "stdin" : name);
        if (r < 0)
                return r;
        r = streq(name, "-") ? source_read_fd(STDIN_FILENO, &source)
                             : source_read_path(NULL, name, &source);
        if (r < 0)
                return source_explain(source.name, r, ret_why);

        *ret = source;
        source = (Source) {};
        return 0;
}

/* The last cloud-config-url= of the kernel command line; "_" and "-" are alike. */
static int command_line_url(const char *root, char **ret)
{
        _cleanup_free_ char *line = NULL;
        char *rest, *word, *url = NULL;
        int r;

        *ret = NULL;
        r = file_read_line(root, "/proc/cmdline", &line);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;

        rest = line;
        while ((word = strsep(&rest, " \t\n"))) {
                char *value = strchr(word, '=');

                if (!value || !value[1])
                        continue;
                *value = 0;
                for (char *p = word; *p; p++)
                        *p = *p == '_' ? '-' : *p;
                if (streq(word, "cloud-config-url"))
                        url = value + 1;
        }
        return text_set(ret, url);
}

int source_find(const char *root, Source *ret, char **ret_why)
{
        _cleanup_(source_done) Source source = {};
        _cleanup_free_ char *url = NULL;
        int r;

        *ret_why = NULL;
        r = command_line_url(root, &url);
        if (r < 0)
                return r;
        if (url) {
                r = source_fetch(url, ret, ret_why);
                return r < 0 ? r : 1;
        }

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                r = source_read_path(root, places[i], &source);
                if (r == -ENOENT || r == -ENOTDIR)
                        continue;
                if (r >= 0)
                        r = text_set(&source.name, places[i]);
                if (r < 0)
                        return source_explain(places[i], r, ret_why);
                *ret = source;
                source = (Source) {};
                return 1;
        }

        return 0;
}
