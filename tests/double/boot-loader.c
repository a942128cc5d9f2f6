#include <ctype.h>
#include <libfdisk/libfdisk.h>
#include <strings.h>

#include "double/boot-loader.h"

#define USR_TYPE       "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6"
#define PRIORITY_SHIFT 48
#define TRIES_SHIFT    52
#define NIBBLE         UINT64_C(15)
#define SUCCESSFUL     (UINT64_C(1) << 56)

static uint64_t attribute_priority(uint64_t attributes)
{
        return attributes >> PRIORITY_SHIFT & NIBBLE;
}

static uint64_t attribute_tries(uint64_t attributes)
{
        return attributes >> TRIES_SHIFT & NIBBLE;
}

void boot_choice_done(BootChoice *choice)
{
        free(choice->label);
        free(choice->part_uuid);
        *choice = (BootChoice) {};
}

static bool partition_is_usr(struct fdisk_partition *partition)
{
        struct fdisk_parttype *type = fdisk_partition_get_type(partition);
        const char *uuid = type ? fdisk_parttype_get_string(type) : NULL;

        return uuid && strcasecmp(uuid, USR_TYPE) == 0;
}

/* The number of the partition to start, or -ENODEV. */
static int boot_loader_search(struct fdisk_context *disk, struct fdisk_table *table,
                              uint64_t *ret_attributes)
{
        uint64_t best_priority = 0;
        int best = -ENODEV;

        for (size_t i = 0; i < fdisk_table_get_nents(table); i++) {
                struct fdisk_partition *partition = fdisk_table_get_partition(table, i);
                size_t number = fdisk_partition_get_partno(partition);
                uint64_t attributes, priority;

                if (!partition_is_usr(partition)
                    || fdisk_gpt_get_partition_attrs(disk, number, &attributes) < 0)
                        continue;
                priority = attribute_priority(attributes);
                if (priority <= best_priority
                    || (!(attributes & SUCCESSFUL) && attribute_tries(attributes) == 0))
                        continue;
                best = (int)number;
                best_priority = priority;
                *ret_attributes = attributes;
        }

        return best;
}

static int choice_fill(struct fdisk_context *disk, struct fdisk_table *table, size_t number,
                       BootChoice *ret)
{
        struct fdisk_partition *partition = fdisk_table_get_partition_by_partno(table, number);
        uint64_t sector = fdisk_get_sector_size(disk);

        ret->label = strdup(fdisk_partition_get_name(partition));
        ret->part_uuid = strdup(fdisk_partition_get_uuid(partition));
        if (!ret->label || !ret->part_uuid)
                return -ENOMEM;

        for (char *p = ret->part_uuid; *p; p++)
                *p = (char)tolower((unsigned char)*p);
        ret->offset = fdisk_partition_get_start(partition) * sector;
        ret->size = fdisk_partition_get_size(partition) * sector;
        return 0;
}

static int boot_loader_start(struct fdisk_context *disk, struct fdisk_table *table, BootChoice *ret)
{
        uint64_t attributes = 0;
        int number, r;

        number = boot_loader_search(disk, table, &attributes);
        if (number < 0)
                return number;

        if (attribute_tries(attributes) > 0) {
                attributes -= UINT64_C(1) << TRIES_SHIFT;
                r = fdisk_gpt_set_partition_attrs(disk, (size_t)number, attributes);
                if (r < 0)
                        return r;
                r = fdisk_write_disklabel(disk);
                if (r < 0)
                        return r;
        }

        return choice_fill(disk, table, (size_t)number, ret);
}

int boot_loader_choose(const char *path, BootChoice *ret)
{
        struct fdisk_context *disk = fdisk_new_context();
        struct fdisk_table *table = NULL;
        BootChoice choice = {};
        int r;

        if (!disk)
                return -ENOMEM;

        r = fdisk_assign_device(disk, path, false);
        if (r >= 0)
                r = fdisk_get_partitions(disk, &table);
        if (r >= 0)
                r = boot_loader_start(disk, table, &choice);
        if (r >= 0)
                r = fdisk_deassign_device(disk, false);

        fdisk_unref_table(table);
        fdisk_unref_context(disk);
        if (r < 0) {
                boot_choice_done(&choice);
                return r;
        }

        *ret = choice;
        return 0;
}
