#include <libfdisk/libfdisk.h>
#include <strings.h>

#include "base/text.h"
#include "slots-gpt.h"
#include "slots-table.h"

#define PRIORITY_SHIFT 48
#define TRIES_SHIFT    52
#define SUCCESSFUL_BIT (UINT64_C(1) << 56)
#define NIBBLE         UINT64_C(15)

typedef struct fdisk_context Disk;

static Disk *disk_free(Disk *disk)
{
        fdisk_unref_context(disk);
        return NULL;
}
DEFINE_CLEANUP(Disk *, disk_free);

static void table_free_p(struct fdisk_table **table)
{
        fdisk_unref_table(*table);
}

/* A partition table as libfdisk has it, over its copy in memory. */
typedef struct Table {
        TableCopy copy;
        Disk *disk;
} Table;

#define TABLE_NONE                      \
        (Table)                         \
        {                               \
                .copy = TABLE_COPY_NONE \
        }

static void table_done(Table *table)
{
        if (table->disk)
                disk_free(table->disk);
        table_copy_done(&table->copy);
        *table = TABLE_NONE;
}

unsigned gpt_priority(uint64_t attributes)
{
        return (unsigned)(attributes >> PRIORITY_SHIFT & NIBBLE);
}

unsigned gpt_tries(uint64_t attributes)
{
        return (unsigned)(attributes >> TRIES_SHIFT & NIBBLE);
}

bool gpt_successful(uint64_t attributes)
{
        return attributes & SUCCESSFUL_BIT;
}

uint64_t gpt_with_priority(uint64_t attributes, unsigned priority)
{
        assert(priority <= GPT_PRIORITY_MAX);
        return (attributes & ~(NIBBLE << PRIORITY_SHIFT)) | (uint64_t)priority << PRIORITY_SHIFT;
}

uint64_t gpt_with_tries(uint64_t attributes, unsigned tries, bool successful)
{
        assert(tries <= GPT_TRIES_MAX);
        attributes &= ~(NIBBLE << TRIES_SHIFT | SUCCESSFUL_BIT);
        return attributes | (uint64_t)tries << TRIES_SHIFT | (successful ? SUCCESSFUL_BIT : 0);
}

void gpt_done(Gpt *gpt)
{
        for (size_t i = 0; i < gpt->n_partitions; i++) {
                free(gpt->partitions[i].label);
                free(gpt->partitions[i].uuid);
                free(gpt->partitions[i].type);
        }
        free(gpt->partitions);
        free(gpt->path);
        *gpt = (Gpt) {};
}

/* libfdisk sees the copy in memory only: it never writes to the disk itself. */
static int disk_open_copy(const TableCopy *copy, Disk **ret)
{
        _cleanup_(disk_free_p) Disk *disk = fdisk_new_context();
        int r;

        if (!disk)
                return -ENOMEM;

        r = fdisk_disable_dialogs(disk, 1);
        if (r >= 0)
                r = fdisk_save_user_sector_size(disk, copy->sector_size, copy->sector_size);
        if (r >= 0)
                r = fdisk_assign_device_by_fd(disk, copy->memory_fd, "partition-table", 0);
        if (r < 0)
                return r;
        if (!fdisk_is_label(disk, GPT))
                return -ENOMEDIUM;

        *ret = TAKE_PTR(disk);
        return 0;
}

static int table_open_with(const char *path, bool writable, unsigned sector_size, Table *ret)
{
        _cleanup_(table_done) Table table = TABLE_NONE;
        int r;

        r = table_copy_open(path, writable, sector_size, &table.copy);
        if (r < 0)
                return r;
        r = disk_open_copy(&table.copy, &table.disk);
        if (r < 0)
                return r;

        *ret = table;
        table = TABLE_NONE;
        return 0;
}

/* An image file of a disk with 4096-byte sectors does not say so: the table is looked for there as well. */
static int table_open(const char *path, bool writable, Table *ret)
{
        int r;

        r = table_open_with(path, writable, 0, ret);
        if (r == -ENOMEDIUM)
                r = table_open_with(path, writable, 4096, ret);
        return r;
}

static int partition_read(Disk *disk, struct fdisk_partition *from, GptPartition *ret)
{
        struct fdisk_parttype *type = fdisk_partition_get_type(from);
        const char *label = fdisk_partition_get_name(from), *uuid = fdisk_partition_get_uuid(from);
        uint64_t sector = fdisk_get_sector_size(disk);
        int r;

        ret->number = fdisk_partition_get_partno(from);
        if (!mul_u64(fdisk_partition_get_start(from), sector, &ret->offset)
            || !mul_u64(fdisk_partition_get_size(from), sector, &ret->size))
                return -EOVERFLOW;

        /* A label goes into logs and on the bus: one that is not UTF-8 is left out. */
        ret->label = strdup(label && text_is_utf8(label, strlen(label)) ? label : "");
        ret->uuid = strdup(uuid ? uuid : "");
        ret->type = strdup(type ? fdisk_parttype_get_string(type) : "");
        if (!ret->label || !ret->uuid || !ret->type)
                return -ENOMEM;
        /* It goes into boot entries, and from there to systemd, for which it is part of a path made by udev. */
        text_lower(ret->uuid);

        r = fdisk_gpt_get_partition_attrs(disk, ret->number, &ret->attributes);
        return r < 0 ? r : 0;
}

static int gpt_fill(Disk *disk, Gpt *gpt)
{
        _cleanup_(table_free_p) struct fdisk_table *table = NULL;
        size_t n;
        int r;

        r = fdisk_get_partitions(disk, &table);
        if (r < 0)
                return r;
        n = fdisk_table_get_nents(table);
        if (n > GPT_PARTITIONS_MAX)
                return -E2BIG;

        gpt->partitions = calloc(n + 1, sizeof(GptPartition));
        if (!gpt->partitions)
                return -ENOMEM;

        for (size_t i = 0; i < n; i++) {
                r = partition_read(disk, fdisk_table_get_partition(table, i),
                                   &gpt->partitions[gpt->n_partitions++]);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int gpt_read_from(Disk *disk, const char *path, Gpt *ret)
{
        _cleanup_(gpt_done) Gpt gpt = {};
        int r;

        r = text_set(&gpt.path, path);
        if (r < 0)
                return r;
        r = gpt_fill(disk, &gpt);
        if (r < 0)
                return r;

        *ret = gpt;
        gpt = (Gpt) {};
        return 0;
}

/* What libfdisk would write differs from the disk: a copy is damaged, out of date, or not at the disk's end. */
static bool table_wants_repair(Table *table)
{
        return fdisk_write_disklabel(table->disk) >= 0 && table_copy_is_changed(&table->copy) > 0;
}

int gpt_read(const char *path, Gpt *ret)
{
        _cleanup_(table_done) Table table = TABLE_NONE;
        Gpt gpt;
        int r;

        r = table_open(path, false, &table);
        if (r < 0)
                return r;
        r = gpt_read_from(table.disk, path, &gpt);
        if (r < 0)
                return r;

        gpt.is_file = table.copy.is_file;
        gpt.wants_repair = table_wants_repair(&table);
        *ret = gpt;
        return 0;
}

/* Nothing but attributes may differ. */
static bool gpt_has_layout_of(const Gpt *a, const Gpt *b)
{
        if (a->n_partitions != b->n_partitions)
                return false;

        for (size_t i = 0; i < a->n_partitions; i++) {
                const GptPartition *x = &a->partitions[i], *y = &b->partitions[i];

                if (x->number != y->number || x->offset != y->offset || x->size != y->size
                    || !streq(x->uuid, y->uuid) || !streq(x->type, y->type)
                    || !streq(x->label, y->label))
                        return false;
        }

        return true;
}

static int disk_set_attributes(Disk *disk, const Gpt *old, const Gpt *new)
{
        for (size_t i = 0; i < new->n_partitions; i++) {
                const GptPartition *p = &new->partitions[i];
                int r = 0;

                if (p->attributes != old->partitions[i].attributes)
                        r = fdisk_gpt_set_partition_attrs(disk, p->number, p->attributes);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int table_write(Table *table)
{
        int r;

        r = fdisk_write_disklabel(table->disk);
        if (r < 0)
                return r;
        return table_copy_write(&table->copy);
}

int gpt_write_attributes(const Gpt *gpt)
{
        _cleanup_(table_done) Table table = TABLE_NONE;
        _cleanup_(gpt_done) Gpt now = {};
        int r;

        r = table_open(gpt->path, true, &table);
        if (r < 0)
                return r;
        r = gpt_read_from(table.disk, gpt->path, &now);
        if (r < 0)
                return r;
        if (!gpt_has_layout_of(&now, gpt))
                return -ESTALE;

        /* A damaged copy is mended first, and the whole one is not touched by that: then both are whole. */
        r = table_write(&table);
        if (r < 0)
                return r;
        r = disk_set_attributes(table.disk, &now, gpt);
        if (r < 0)
                return r;
        return table_write(&table);
}

int gpt_partition_path(const Gpt *gpt, size_t number, char **ret)
{
        char *path = fdisk_partname(gpt->path, number + 1);

        if (!path)
                return -ENOMEM;

        *ret = path;
        return 0;
}
