#include <ctype.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "base/disk-io.h"
#include "base/io.h"
#include "base/text.h"
#include "boot-kernel.h"

#define ZFS_MAGIC 0x2fc12fc1 /* it is not in linux/magic.h */

/* Ours, and what update_engine calls it on Flatcar and CoreOS. */
static const char *const kernel_directories[] = { "sluice", "flatcar", "coreos" };

int boot_kernel_path_default(const Slots *slots, char **ret)
{
        const char *boot = slots->boot_directory ? slots->boot_directory : BOOT_DIRECTORY_DEFAULT;
        const char *name = slot_name(&slots->gpt.partitions[slots->target]);

        for (size_t i = 0; i < ELEMENTSOF(kernel_directories); i++) {
                _cleanup_free_ char *path = NULL, *directory = NULL;
                struct stat status;
                int r;

                r = text_format(&path, "%s/%s", boot, kernel_directories[i]);
                if (r >= 0)
                        r = root_join(slots->root, path, &directory);
                if (r < 0)
                        return r;
                if (stat(directory, &status) >= 0 && S_ISDIR(status.st_mode))
                        return text_format(ret, "%s/vmlinuz-%c", directory, tolower(*name));
        }

        return -ENODATA;
}

const char *boot_error_text(int error)
{
        if (error == -EROFS)
                return "it is on a file system that is read-only; where an error made it so, fsck "
                       "mends it, then mount it for writing";
        if (error == -ENOSPC)
                return "the boot partition is full; remove what is not needed there";
        return strerror(-error);
}

/* A file or a directory; what is not there is not read-only. */
static int path_check_writable(const char *path)
{
        struct statvfs status;

        if (statvfs(path, &status) < 0)
                return errno == ENOENT ? 0 : -errno;
        return status.f_flag & ST_RDONLY ? -EROFS : 0;
}

/* GRUB takes a try away before it starts a slot on trial: where it can not, its fragment starts none. */
static bool grub_can_write(const char *path)
{
        struct statfs status;

        return statfs(path, &status) < 0
               || (status.f_type != BTRFS_SUPER_MAGIC && status.f_type != ZFS_MAGIC);
}

static int place_check_writable(const Slots *slots, UpdateFailure *failure)
{
        _cleanup_free_ char *place = NULL;
        int r;

        r = root_join(slots->root, slots->place, &place);
        if (r >= 0)
                r = path_check_writable(place);
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_TARGET_WRITE, "%s: %s",
                                          slots->place, boot_error_text(r));
        if (slots->chooser->type == BOOT_CHOOSER_GRUB && !grub_can_write(place))
                return update_failure_set(failure, -EOPNOTSUPP, UPDATE_ERROR_TARGET_WRITE,
                                          "%s: GRUB can not write to btrfs and ZFS, so it would "
                                          "never start a new version; put its environment block on "
                                          "ext4, XFS or FAT",
                                          slots->place);
        return 0;
}

int boot_check_writable(const Slots *slots, UpdateFailure *failure)
{
        _cleanup_free_ char *kernel = NULL;
        int r;

        if (slots->chooser->type != BOOT_CHOOSER_GPT) { /* a disk is opened for writing anyway */
                r = place_check_writable(slots, failure);
                if (r < 0)
                        return r;
        }
        r = slots->chooser->kernel_path(slots, &kernel);
        if (r == -ENODATA)
                return 0;
        if (r >= 0) {
                *strrchr(kernel, '/') = 0;
                r = path_check_writable(kernel);
        }
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_TARGET_WRITE, "%s: %s",
                                          kernel ? kernel : "the boot partition",
                                          boot_error_text(r));
        return 0;
}

void boot_kernel_done(BootKernel *kernel)
{
        kernel->fd = close_fd(kernel->fd);
        if (kernel->temporary)
                (void)disk_io()->unlink(kernel->temporary); /* the next update removes it as well */
        free(kernel->temporary);
        free(kernel->path);
        *kernel = BOOT_KERNEL_NONE;
}

/* What a power cut left of writing one is in the way of the next one, and of its room. */
static int temporary_begin(BootKernel *kernel)
{
        int r;

        if (text_format(&kernel->temporary, "%s.new", kernel->path) < 0)
                return -ENOMEM;
        r = parents_make(kernel->temporary, 0755);
        if (r >= 0)
                r = file_remove(NULL, kernel->temporary);
        if (r < 0)
                return r;

        kernel->fd =
                disk_io()->open(kernel->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        return kernel->fd < 0 ? kernel->fd : 0;
}

static int room_measure(BootKernel *kernel)
{
        struct statvfs status;
        uint64_t free_bytes;

        if (fstatvfs(kernel->fd, &status) < 0)
                return -errno;
        if (!mul_u64(status.f_bavail, status.f_frsize, &free_bytes))
                free_bytes = INT64_MAX;
        if (free_bytes <= BOOT_RESERVE)
                return -ENOSPC;

        kernel->size_max = MIN_OF(free_bytes - BOOT_RESERVE, (uint64_t)INT64_MAX);
        return 0;
}

int boot_kernel_open(const Slots *slots, BootKernel *ret, UpdateFailure *failure)
{
        _cleanup_(boot_kernel_done) BootKernel kernel = BOOT_KERNEL_NONE;
        int r;

        r = slots->chooser->kernel_path(slots, &kernel.path);
        if (r == -ENODATA) {
                *ret = BOOT_KERNEL_NONE;
                return 0;
        }
        if (r >= 0)
                r = temporary_begin(&kernel);
        if (r >= 0)
                r = room_measure(&kernel);
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_TARGET_WRITE,
                                          "%s: making the file of the kernel: %s",
                                          kernel.path ? kernel.path : "the boot partition",
                                          boot_error_text(r));

        *ret = kernel;
        kernel = BOOT_KERNEL_NONE;
        return 0;
}

/* Did the payload have a kernel? */
static bool boot_kernel_is_written(const BootKernel *kernel)
{
        struct stat status;

        return kernel->fd >= 0 && fstat(kernel->fd, &status) >= 0 && status.st_size > 0;
}

int boot_kernel_commit(BootKernel *kernel, UpdateFailure *failure)
{
        int r;

        if (!boot_kernel_is_written(kernel)) {
                boot_kernel_done(kernel);
                return 0;
        }

        r = disk_io()->sync(kernel->fd);
        if (r >= 0)
                r = disk_io()->rename(kernel->temporary, kernel->path);
        if (r >= 0)
                r = directory_sync_of(kernel->path);
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_TARGET_WRITE,
                                          "%s: putting the kernel in its place: %s", kernel->path,
                                          boot_error_text(r));

        kernel->fd = close_fd(kernel->fd);
        text_clear(&kernel->temporary);
        return 0;
}
