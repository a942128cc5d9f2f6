#include <blkid/blkid.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "base/text.h"
#include "slot-mount.h"

#define LOOP_TRIES  64 /* others take loop devices as well */
#define MOUNT_FLAGS (MS_RDONLY | MS_NODEV | MS_NOSUID)

/* How not to play back a journal. The first that the kernel knows counts. */
static const struct {
        const char *type, *options;
} mount_options[] = {
        { "ext3", "noload" },
        { "ext4", "noload" },
        { "btrfs", "rescue=nologreplay" },
        { "btrfs", "nologreplay" },
        { "xfs", "norecovery,nouuid" },
};

int slot_image_probe(const SlotImage *image, char **ret)
{
        blkid_probe probe = blkid_new_probe();
        const char *type = NULL;
        int r;

        if (!probe)
                return -ENOMEM;
        errno = 0;
        r = blkid_probe_set_device(probe, image->fd, (blkid_loff_t)image->offset,
                                   (blkid_loff_t)image->size);
        if (r == 0)
                r = blkid_probe_set_superblocks_flags(probe,
                                                      BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE);
        if (r == 0)
                r = blkid_probe_filter_superblocks_usage(probe, BLKID_FLTR_ONLYIN,
                                                         BLKID_USAGE_FILESYSTEM);
        if (r == 0)
                r = blkid_do_safeprobe(probe);
        if (r == 0)
                r = blkid_probe_lookup_value(probe, "TYPE", &type, NULL);

        /* 1: nothing found; -2: several at once, which no image has on purpose */
        r = r == 1 ? 0 : r == -2 ? -ENOTUNIQ : r < 0 ? -(errno > 0 ? errno : EIO) : 0;
        if (r >= 0)
                r = text_set(ret, type);
        blkid_free_probe(probe);
        return r;
}

static int loop_try(int control, const struct loop_config *config)
{
        char path[sizeof("/dev/loop") + DECIMAL_MAX];
        _cleanup_close_ int fd = -1;
        int number = ioctl(control, LOOP_CTL_GET_FREE);

        if (number < 0)
                return -errno;
        (void)snprintf(path, sizeof(path), "/dev/loop%d", number); /* fits */
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || ioctl(fd, LOOP_CONFIGURE, config) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* A read-only loop device, which goes when nobody uses it any more. */
static int loop_make(const SlotImage *image)
{
        const struct loop_config config = {
                .fd = (uint32_t)image->fd,
                .info = { .lo_offset = image->offset,
                          .lo_sizelimit = image->size,
                          .lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR },
        };
        _cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
        int fd = control < 0 ? -errno : -EBUSY;

        for (int i = 0; i < LOOP_TRIES && fd == -EBUSY; i++)
                fd = loop_try(control, &config);
        return fd;
}

int slot_image_mount(const SlotImage *image, const char *type, const char *where)
{
        char device[sizeof("/proc/self/fd/") + DECIMAL_MAX];
        _cleanup_close_ int loop = loop_make(image);
        const char *options = NULL;
        int r;

        if (loop < 0)
                return loop;
        (void)snprintf(device, sizeof(device), "/proc/self/fd/%d", loop); /* fits */

        r = -EINVAL;
        for (size_t i = 0; i < ELEMENTSOF(mount_options) && r == -EINVAL; i++) {
                if (!streq(mount_options[i].type, type))
                        continue;
                options = mount_options[i].options;
                r = RET_ERRNO(mount(device, where, type, MOUNT_FLAGS, options));
        }
        return options ? r : RET_ERRNO(mount(device, where, type, MOUNT_FLAGS, NULL));
}

int slot_image_open(int root, const char *path)
{
        const struct open_how how = {
                .flags = O_PATH | O_CLOEXEC,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
        };

        return RET_ERRNO((int)syscall(SYS_openat2, root, path, &how, sizeof(how)));
}
