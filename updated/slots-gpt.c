#include <fcntl.h>
#include <libfdisk/libfdisk.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/text.h"
#include "slots-gpt.h"

#define PRIORITY_SHIFT 48
#define TRIES_SHIFT    52
#define SUCCESSFUL_BIT (UINT64_C(1) << 56)
#define NIBBLE         UINT64_C(15)

typedef struct fdisk_context Disk;

static Disk *disk_free(Disk *disk)
{
        fdisk_unref_context(disk); /* closes the device as well */
        return NULL;
}
DEFINE_CLEANUP(Disk *, disk_free);

static void table_free_p(struct fdisk_table **table)
{
        fdisk_unref_table(*table);
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

/* sector_size 0: what the device says, which is 512 for image files. */
static int disk_open_with(const char *path, bool writable, unsigned sector_size, Disk **ret)
{
        _cleanup_(disk_free_p) Disk *disk = fdisk_new_context();
        int r;

        if (!disk)
                return -ENOMEM;

        r = fdisk_disable_dialogs(disk, 1);
        if (r >= 0 && sector_size)
                r = fdisk_save_user_sector_size(disk, sector_size, sector_size);
        if (r < 0)
                return r;
        r = fdisk_assign_device(disk, path, !writable);
        if (r < 0)
                return r;
        if (!fdisk_is_label(disk, GPT))
                return -ENOMEDIUM;

        *ret = TAKE_PTR(disk);
        return 0;
}

/* An image file of a disk with 4096-byte sectors does not say so: the table is looked for there as well. */
static int disk_open(const char *path, bool writable, Disk **ret)
{
        int r;

        r = disk_open_with(path, writable, 0, ret);
        if (r == -ENOMEDIUM)
                r = disk_open_with(path, writable, 4096, ret);
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

        /* A label goes to logs and the bus; one that is no text is none. */
        ret->label = strdup(label && text_is_utf8(label, strlen(label)) ? label : "");
        ret->uuid = strdup(uuid ? uuid : "");
        ret->type = strdup(type ? fdisk_parttype_get_string(type) : "");
        if (!ret->label || !ret->uuid || !ret->type)
                return -ENOMEM;

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
        struct stat status;
        int r;

        r = RET_ERRNO(fstat(fdisk_get_devfd(disk), &status));
        if (r < 0)
                return r;
        gpt.is_file = S_ISREG(status.st_mode);
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

int gpt_read(const char *path, Gpt *ret)
{
        _cleanup_(disk_free_p) Disk *disk = NULL;
        int r;

        r = disk_open(path, false, &disk);
        if (r < 0)
                return r;

        return gpt_read_from(disk, path, ret);
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

static int disk_write_attributes(Disk *disk, const Gpt *old, const Gpt *new)
{
        bool changed = false;
        int r;

        for (size_t i = 0; i < new->n_partitions; i++) {
                const GptPartition *p = &new->partitions[i];

                if (p->attributes == old->partitions[i].attributes)
                        continue;
                r = fdisk_gpt_set_partition_attrs(disk, p->number, p->attributes);
                if (r < 0)
                        return r;
                changed = true;
        }
        if (!changed)
                return 0;

        r = fdisk_write_disklabel(disk); /* backup, then primary, each followed by fsync */
        if (r < 0)
                return r;
        return RET_ERRNO(fsync(fdisk_get_devfd(disk)));
}

int gpt_write_attributes(const Gpt *gpt)
{
        _cleanup_(disk_free_p) Disk *disk = NULL;
        _cleanup_(gpt_done) Gpt now = {};
        int r;

        r = disk_open(gpt->path, true, &disk);
        if (r < 0)
                return r;
        r = gpt_read_from(disk, gpt->path, &now);
        if (r < 0)
                return r;
        if (!gpt_has_layout_of(&now, gpt))
                return -ESTALE;

        r = disk_write_attributes(disk, &now, gpt);
        if (r < 0)
                return r;
        r = fdisk_deassign_device(disk,
                                  1); /* no sync() of the whole system: it is durable already */
        return r < 0 ? r : 0;
}

int gpt_partition_path(const Gpt *gpt, size_t number, char **ret)
{
        char *path = fdisk_partname(gpt->path, number + 1);

        if (!path)
                return -ENOMEM;

        *ret = path;
        return 0;
}
