#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "slots.h"

static int device_check(int fd, const struct stat *status, uint64_t size)
{
        int read_only = 0, r;
        uint64_t found;

        if (!S_ISBLK(status->st_mode))
                return -ENOTBLK;
        if (device_is_running(status->st_rdev))
                return -ETXTBSY;
        /* open(2) lets root write to it all the same, and write(2) does not */
        r = RET_ERRNO(ioctl(fd, BLKROGET, &read_only));
        if (r >= 0 && read_only)
                return -EROFS;
        r = RET_ERRNO(ioctl(fd, BLKGETSIZE64, &found));
        return r < 0 ? r : found == size ? 0 : -ESTALE;
}

/* A file knows no O_EXCL. The lock goes with the last descriptor, which may be the worker's. */
static int file_lock(int fd, const struct stat *status, const GptPartition *slot)
{
        uint64_t end;
        int r;

        if (!S_ISREG(status->st_mode))
                return -ESTALE;
        if (!add_u64(slot->offset, slot->size, &end) || end > (uint64_t)status->st_size)
                return -ENXIO; /* the table names bytes that the file does not have */
        r = RET_ERRNO(flock(fd, LOCK_EX | LOCK_NB));
        return r == -EWOULDBLOCK ? -EBUSY : r;
}

static int target_open(const Gpt *gpt, const GptPartition *slot, char **ret_path, int *ret_fd)
{
        _cleanup_close_ int fd = -1;
        struct stat status;
        int r;

        r = gpt->is_file ? root_join(NULL, gpt->path, ret_path)
                         : gpt_partition_path(gpt, slot->number, ret_path);
        if (r < 0)
                return r;

        /* O_EXCL on a block device: nobody has mounted or mapped it, and nobody can while it is open. */
        fd = root_open(NULL, *ret_path, O_RDWR | (gpt->is_file ? 0 : O_EXCL), 0);
        if (fd < 0)
                return fd;
        r = RET_ERRNO(fstat(fd, &status));
        if (r >= 0)
                r = gpt->is_file ? file_lock(fd, &status, slot)
                                 : device_check(fd, &status, slot->size);
        if (r < 0)
                return r;

        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* Why, and what to do; NULL: the error says it all. */
static const char *target_advice(int error)
{
        static const struct {
                int error;
                const char *text;
        } advices[] = {
                { -EBUSY, "is mounted or in use; unmount it" },
                { -ETXTBSY, "is what /usr or / runs from, whatever the kernel command line says" },
                { -EROFS, "is read-only; blockdev --setrw may change that, or the switch of the "
                          "medium" },
                { -EACCES, "is read-only; blockdev --setrw may change that, or the switch of the "
                           "medium" },
                { -ESTALE, "is not as large as its partition table says; reboot, or read the table "
                           "again (partx -u)" },
        };

        for (size_t i = 0; i < ELEMENTSOF(advices); i++)
                if (advices[i].error == error)
                        return advices[i].text;
        return NULL;
}

int slots_open_target(const Slots *slots, SlotRegion *ret, UpdateFailure *failure)
{
        _cleanup_free_ char *path = NULL;
        const GptPartition *slot;
        const char *advice;
        int fd = -1, r;

        if (slots->target == SLOT_NONE)
                return update_failure_set(failure, -ENODEV, UPDATE_ERROR_SLOTS, "%s",
                                          update_failure_text(&slots->why_no_target));
        assert(slots->target != slots->running);
        slot = &slots->gpt.partitions[slots->target];

        r = target_open(&slots->gpt, slot, &path, &fd);
        advice = target_advice(r);
        if (r == -EBUSY && slots->gpt.is_file)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "%s: another program writes to this disk image; wait for "
                                          "its end",
                                          path);
        if (r < 0 && advice)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "%s: the target slot %s %s", path, slot->label, advice);
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "%s: opening the target slot %s: %s",
                                          path ? path : slots->gpt.path, slot->label, strerror(-r));

        *ret = (SlotRegion) {
                .fd = fd,
                .offset = slots->gpt.is_file ? slot->offset : 0,
                .size = slot->size,
        };
        return 0;
}
