#include <blkid/blkid.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/text.h"
#include "slots-find.h"

#define SYSFS "/sys"

#define MAPPER_DEPTH_MAX 8 /* verity over crypt over linear … and then it is a loop */

void running_partition_done(RunningPartition *running)
{
        free(running->uuid);
        free(running->label);
        free(running->disk);
        *running = (RunningPartition) {};
}

/* The value of the last word "key=value" of the command line, as the kernel takes it; the caller frees it. */
static int cmdline_get(const char *cmdline, const char *key, char **ret)
{
        _cleanup_free_ char *copy = strdup(cmdline), *value = NULL;
        char *rest = copy, *word;
        int r;

        if (!copy)
                return -ENOMEM;

        while ((word = strsep(&rest, " \t\n"))) {
                const char *found = after_prefix(word, key);

                if (!found)
                        continue;
                r = text_set(&value, found);
                if (r < 0)
                        return r;
        }
        if (!value)
                return -ENODATA;

        *ret = TAKE_PTR(value);
        return 0;
}

static int running_partition_take(const char *value, RunningPartition *ret)
{
        const char *uuid = after_prefix(value, "PARTUUID=");
        const char *label = after_prefix(value, "PARTLABEL=");

        int r;

        if (!is_empty(uuid)) {
                r = text_set(&ret->uuid, uuid);
                if (r < 0)
                        return r;
                text_lower(ret->uuid); /* as udev and libblkid know it: they tell the cases apart */
                return 0;
        }
        if (!is_empty(label))
                return text_set(&ret->label, label);
        return -ENODATA;
}

/* Takes the first of the keys that names a partition. -ENODATA with *ret_named: one is there, and names none. */
static int running_partition_take_keys(const char *cmdline, const char *const *keys,
                                       RunningPartition *ret, bool *ret_named)
{
        for (; *keys; keys++) {
                _cleanup_free_ char *value = NULL;
                int r = cmdline_get(cmdline, *keys, &value);

                *ret_named |= r >= 0;
                if (r >= 0)
                        r = running_partition_take(value, ret);
                if (r != -ENODATA)
                        return r;
        }

        return -ENODATA;
}

int running_partition_parse(const char *cmdline, RunningPartition *ret)
{
        /* With verity, mount.usr= names the mapped device and verity.usr= the partition behind it. */
        static const char *const usr_keys[] = {
                "verity.usr=", "systemd.verity_usr_data=", "mount.usr=", "usr=", "usrhash=", NULL
        };
        static const char *const root_keys[] = { "systemd.verity_root_data=", "root=", NULL };
        RunningPartition running = {};
        bool named = false;
        int r;

        /* Where /usr has a partition of its own, that of / is none of the slots, whatever it is called. */
        r = running_partition_take_keys(cmdline, usr_keys, &running, &named);
        if (r == -ENODATA && !named)
                r = running_partition_take_keys(cmdline, root_keys, &running, &named);
        if (r < 0)
                return r;

        *ret = running;
        return 0;
}

/* The one entry of a directory like /sys/…/slaves. -ENODEV: none, -ENOTUNIQ: several. */
static int directory_only_entry(const char *path, char **ret)
{
        DIR *directory = opendir(path);
        _cleanup_free_ char *name = NULL;
        struct dirent *entry;
        int r = -ENODEV;

        if (!directory)
                return -errno;

        while ((entry = readdir(directory))) {
                if (entry->d_name[0] == '.')
                        continue;
                r = name ? -ENOTUNIQ : text_set(&name, entry->d_name);
                if (r < 0)
                        break;
        }
        (void)closedir(directory);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(name);
        return 0;
}

/* The directory in sysfs of a block device, with links resolved. */
static int sysfs_of_device(const char *sysfs, dev_t device, char **ret)
{
        _cleanup_free_ char *link = NULL;
        char *path;

        if (text_format(&link, "%s/dev/block/%u:%u", sysfs, major(device), minor(device)) < 0)
                return -ENOMEM;
        path = realpath(link, NULL);
        if (!path)
                return -errno;

        *ret = path;
        return 0;
}

/* What a loop device shows is a file: the directory of the device that its file system is on. -ENOENT: no loop. */
static int sysfs_below_loop(const char *sysfs, const char *path, char **ret)
{
        _cleanup_free_ char *mark = NULL, *file = NULL;
        struct stat status;
        int r;

        r = text_format(&mark, "%s/loop/backing_file", path);
        if (r >= 0)
                r = file_read_line(NULL, mark, &file);
        if (r >= 0)
                r = RET_ERRNO(stat(file, &status));
        if (r < 0)
                return r;
        return sysfs_of_device(sysfs, S_ISBLK(status.st_mode) ? status.st_rdev : status.st_dev,
                               ret);
}

/* The device below a mapped one. */
static int sysfs_below_mapper(const char *path, char **ret)
{
        _cleanup_free_ char *slaves = NULL, *name = NULL, *below = NULL;
        char *found;
        int r;

        r = text_format(&slaves, "%s/slaves", path);
        if (r >= 0)
                r = directory_only_entry(slaves, &name);
        if (r >= 0)
                r = text_format(&below, "%s/%s", slaves, name);
        if (r < 0)
                return r;
        found = realpath(below, NULL);
        if (!found)
                return -errno;

        *ret = found;
        return 0;
}

int sysfs_of_partition(const char *sysfs, dev_t device, char **ret)
{
        _cleanup_free_ char *path = NULL;
        int r;

        r = sysfs_of_device(sysfs, device, &path);
        if (r < 0)
                return r;

        for (unsigned depth = 0; depth < MAPPER_DEPTH_MAX; depth++) {
                _cleanup_free_ char *mark = NULL, *below = NULL;

                if (text_format(&mark, "%s/partition", path) < 0)
                        return -ENOMEM;
                if (access(mark, F_OK) >= 0) {
                        *ret = TAKE_PTR(path);
                        return 0;
                }
                r = sysfs_below_loop(sysfs, path, &below);
                if (r == -ENOENT)
                        r = sysfs_below_mapper(path, &below);
                if (r < 0)
                        return r;
                free(path);
                path = TAKE_PTR(below);
        }

        return -ELOOP;
}

/* The disk of a partition is the directory above it: …/block/sda/sda3. */
int disk_of_sysfs(const char *partition, char **ret)
{
        _cleanup_free_ char *copy = strdup(partition);
        char *slash, *disk;

        if (!copy)
                return -ENOMEM;
        slash = strrchr(copy, '/');
        if (!slash)
                return -ENODEV;
        *slash = 0;
        slash = strrchr(copy, '/');
        if (!slash)
                return -ENODEV;
        if (text_format(&disk, "/dev/%s", slash + 1) < 0)
                return -ENOMEM;
        for (char *mark = strchr(disk, '!'); mark; mark = strchr(mark, '!'))
                *mark = '/'; /* cciss!c0d0 is /dev/cciss/c0d0 */

        *ret = disk;
        return 0;
}

static int partition_of_path(const char *path, char **ret_sysfs)
{
        struct stat status;
        int r;

        r = RET_ERRNO(stat(path, &status));
        if (r < 0)
                return r;
        return sysfs_of_partition(SYSFS, S_ISBLK(status.st_mode) ? status.st_rdev : status.st_dev,
                                  ret_sysfs);
}

static int running_partition_by_device(RunningPartition *ret)
{
        _cleanup_(running_partition_done) RunningPartition running = { .by_device = true };
        _cleanup_free_ char *sysfs = NULL, *mark = NULL, *number = NULL;
        uint64_t n;
        int r;

        r = partition_of_path("/usr", &sysfs);
        if (r < 0)
                return -ENODATA;
        if (text_format(&mark, "%s/partition", sysfs) < 0)
                return -ENOMEM;
        r = file_read_line(NULL, mark, &number);
        if (r < 0)
                return r;
        r = text_to_u64(number, INT_MAX, &n);
        if (r < 0 || n == 0)
                return -ENODATA;
        r = disk_of_sysfs(sysfs, &running.disk);
        if (r < 0)
                return r;

        running.number = (size_t)n - 1;
        *ret = running;
        running = (RunningPartition) {};
        return 0;
}

int running_partition_find(const char *root, RunningPartition *ret)
{
        _cleanup_free_ char *cmdline = NULL;
        int r;

        r = file_read_line(root, "/proc/cmdline", &cmdline);
        if (r >= 0)
                r = running_partition_parse(cmdline, ret);
        if ((r == -ENODATA || r == -ENOENT) && (is_empty(root) || streq(root, "/")))
                return running_partition_by_device(ret);

        return r == -ENOENT ? -ENODATA : r;
}

int running_partition_disk(const RunningPartition *running, char **ret)
{
        _cleanup_free_ char *device = NULL, *sysfs = NULL;
        int r;

        if (running->by_device)
                return text_set(ret, running->disk);

        device = blkid_evaluate_tag(running->uuid ? "PARTUUID" : "PARTLABEL",
                                    running->uuid ? running->uuid : running->label, NULL);
        if (!device)
                return -ENODEV;
        r = partition_of_path(device, &sysfs);
        if (r < 0)
                return r;

        return disk_of_sysfs(sysfs, ret);
}

bool device_is_running(dev_t device)
{
        static const char *const paths[] = { "/usr", "/" };
        _cleanup_free_ char *sysfs = NULL;

        if (sysfs_of_device(SYSFS, device, &sysfs) < 0)
                return false;

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                _cleanup_free_ char *running = NULL;

                if (partition_of_path(paths[i], &running) >= 0 && streq(running, sysfs))
                        return true;
        }

        return false;
}
