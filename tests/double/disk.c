#include <fcntl.h>
#include <libfdisk/libfdisk.h>

#include "double/disk.h"

#define ENTRIES_DEFAULT 128 /* of a table that nobody asked for more */

static int context_open(const char *path, unsigned sector_size, struct fdisk_context **ret)
{
        struct fdisk_context *context = fdisk_new_context();
        int r;

        if (!context)
                return -ENOMEM;
        r = fdisk_disable_dialogs(context, 1);
        if (r >= 0)
                r = fdisk_save_user_sector_size(context, sector_size, sector_size);
        if (r >= 0)
                r = fdisk_assign_device(context, path, false);
        if (r < 0) {
                fdisk_unref_context(context);
                return r;
        }

        *ret = context;
        return 0;
}

static int context_write(struct fdisk_context *context)
{
        int r = fdisk_write_disklabel(context);

        return r < 0 ? r : fdisk_deassign_device(context, true);
}

static int partition_add(struct fdisk_context *context, size_t number, uint64_t start,
                         const DiskPartition *from)
{
        struct fdisk_partition *partition = fdisk_new_partition();
        struct fdisk_parttype *type =
                fdisk_label_parse_parttype(fdisk_get_label(context, "gpt"), from->type);
        uint64_t sector = fdisk_get_sector_size(context);
        int r = partition && type ? 0 : -ENOMEM;

        if (r >= 0)
                r = fdisk_partition_set_type(partition, type);
        if (r >= 0)
                r = fdisk_partition_set_partno(partition, number);
        if (r >= 0)
                r = fdisk_partition_set_start(partition, start / sector);
        if (r >= 0)
                r = fdisk_partition_set_size(partition, from->size / sector);
        if (r >= 0)
                r = fdisk_partition_set_name(partition, from->label);
        if (r >= 0 && from->uuid)
                r = fdisk_partition_set_uuid(partition, from->uuid);
        if (r >= 0)
                r = fdisk_add_partition(context, partition, NULL);
        if (r >= 0)
                r = fdisk_gpt_set_partition_attrs(context, number, from->attributes);

        fdisk_unref_parttype(type);
        fdisk_unref_partition(partition);
        return r;
}

int disk_make(const char *path, uint64_t size, unsigned sector_size,
              const DiskPartition *partitions, size_t n)
{
        _cleanup_close_ int fd = -1;
        struct fdisk_context *context;
        uint64_t start = MIB;
        int r;

        fd = RET_ERRNO(open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
        if (fd < 0)
                return fd;
        r = RET_ERRNO(ftruncate(fd, (off_t)size));
        if (r < 0)
                return r;
        r = context_open(path, sector_size, &context);
        if (r < 0)
                return r;

        r = fdisk_create_disklabel(context, "gpt");
        if (r >= 0 && n > ENTRIES_DEFAULT)
                r = fdisk_gpt_set_npartitions(context, 2 * ENTRIES_DEFAULT);
        for (size_t i = 0; i < n && r >= 0; i++) {
                r = partition_add(context, i, start, &partitions[i]);
                start += partitions[i].size;
        }
        if (r >= 0)
                r = context_write(context);
        fdisk_unref_context(context);
        return r;
}

int disk_set_attributes(const char *path, unsigned sector_size, size_t number, uint64_t attributes)
{
        struct fdisk_context *context;
        int r;

        r = context_open(path, sector_size, &context);
        if (r < 0)
                return r;
        r = fdisk_gpt_set_partition_attrs(context, number, attributes);
        if (r >= 0)
                r = context_write(context);
        fdisk_unref_context(context);
        return r;
}

int disk_remove(const char *path, unsigned sector_size, size_t number)
{
        struct fdisk_context *context;
        int r;

        r = context_open(path, sector_size, &context);
        if (r < 0)
                return r;
        r = fdisk_delete_partition(context, number);
        if (r >= 0)
                r = context_write(context);
        fdisk_unref_context(context);
        return r;
}
