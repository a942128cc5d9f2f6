#include <sys/utsname.h>

#include "base/env-file.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "host.h"

#define HOST_ID_LETTERS "0123456789abcdefABCDEF-"

/* Where a value is looked for: the first file and key that has it wins. */
typedef struct HostSource {
        size_t offset;
        const char *path;
        const char *key;
} HostSource;

static const HostSource host_sources[] = {
        { offsetof(Host, version), "/usr/share/coreos/release", "COREOS_RELEASE_VERSION" },
        { offsetof(Host, version), "/usr/share/flatcar/release", "FLATCAR_RELEASE_VERSION" },
        { offsetof(Host, version), "/etc/os-release", "VERSION_ID" },
        { offsetof(Host, version), "/usr/lib/os-release", "VERSION_ID" },
        { offsetof(Host, board), "/usr/share/coreos/release", "COREOS_RELEASE_BOARD" },
        { offsetof(Host, board), "/usr/share/flatcar/release", "FLATCAR_RELEASE_BOARD" },
        { offsetof(Host, board), "/etc/os-release", "FLATCAR_BOARD" },
        { offsetof(Host, board), "/etc/os-release", "COREOS_BOARD" },
        { offsetof(Host, app_id), "/usr/share/coreos/release", "COREOS_RELEASE_APPID" },
        { offsetof(Host, app_id), "/usr/share/flatcar/release", "FLATCAR_RELEASE_APPID" },
        { offsetof(Host, oem), "/etc/oem-release", "ID" },
        { offsetof(Host, oem), "/usr/share/oem/oem-release", "ID" },
        { offsetof(Host, oem_version), "/etc/oem-release", "VERSION_ID" },
        { offsetof(Host, oem_version), "/usr/share/oem/oem-release", "VERSION_ID" },
};

void host_done(Host *host)
{
        free(host->version);
        free(host->board);
        free(host->app_id);
        free(host->oem);
        free(host->oem_version);
        free(host->machine_id);
        free(host->boot_id);
        free(host->machine);
        *host = (Host) {};
}

/* A release file is written by a build, not by hand: its lines that are no settings are nobody's business. */
static int host_read_source(const char *root, const HostSource *source, Host *host)
{
        char **target = (void *)((char *)host + source->offset);
        _cleanup_(env_file_done) EnvFile file = {};
        const char *value;
        int r;

        if (*target)
                return 0;
        r = env_file_read(root, source->path, NULL, NULL, &file);
        if (r == -ENOENT)
                return 0;
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                (void)log_warning_errno(r, "%s can not be read: %m", source->path);
                host->incomplete = true;
                return 0;
        }

        value = env_file_get(&file, source->key);
        return is_empty(value) ? 0 : text_set(target, value);
}

static int host_read_files(const char *root, Host *host)
{
        for (size_t i = 0; i < ELEMENTSOF(host_sources); i++) {
                int r = host_read_source(root, &host_sources[i], host);

                if (r < 0)
                        return r;
        }

        return 0;
}

static int host_read_id(const char *root, const char *path, char **target)
{
        _cleanup_free_ char *id = NULL;
        int r;

        r = file_read_line(root, path, &id);
        if (r == -ENOMEM)
                return r;
        if (r >= 0 && strspn(id, HOST_ID_LETTERS) == strlen(id))
                *target = TAKE_PTR(id);
        else if (r >= 0)
                log_warning("%s holds no id, it is not used", path);
        else if (r != -ENOENT)
                (void)log_warning_errno(r, "%s can not be read: %m", path);
        return 0;
}

/* Nothing is NULL afterwards. */
static int host_fill_defaults(Host *host)
{
        const struct {
                char **target;
                const char *value;
        } defaults[] = {
                { &host->version, HOST_VERSION_UNKNOWN },
                { &host->app_id, HOST_APP_ID_DEFAULT },
                { &host->board, "" },
                { &host->oem, "" },
                { &host->oem_version, "" },
                { &host->machine_id, "" },
                { &host->boot_id, "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(defaults); i++) {
                int r = *defaults[i].target ? 0 : text_set(defaults[i].target, defaults[i].value);

                if (r < 0)
                        return r;
        }

        return 0;
}

bool host_version_is_known(const Host *host)
{
        return !host->incomplete && !streq(host->version, HOST_VERSION_UNKNOWN);
}

/* FNV-1a, and then SplitMix64's finish: machine ids of one cloud often differ in a few letters only. */
uint64_t host_place(const Host *host)
{
        uint64_t hash = UINT64_C(14695981039346656037);

        for (const char *p = host->machine_id; *p; p++)
                hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
        hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
        return hash ^ hash >> 31;
}

int host_read(const char *root, Host *ret)
{
        _cleanup_(host_done) Host host = {};
        struct utsname name;
        int r;

        r = host_read_files(root, &host);
        if (r < 0)
                return r;
        r = host_read_id(root, "/etc/machine-id", &host.machine_id);
        if (r < 0)
                return r;
        r = host_read_id(root, "/proc/sys/kernel/random/boot_id", &host.boot_id);
        if (r < 0)
                return r;
        r = RET_ERRNO(uname(&name));
        if (r < 0)
                return r;
        r = text_set(&host.machine, name.machine);
        if (r < 0)
                return r;
        r = host_fill_defaults(&host);
        if (r < 0)
                return r;

        *ret = host;
        host = (Host) {};
        return 0;
}
