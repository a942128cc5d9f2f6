#include <endian.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/disk-io.h"
#include "base/io.h"
#include "slots-table.h"

#define SECTOR_SIZE_MAX   4096
#define TABLE_SECTORS_MIN 68   /* two tables of 34 sectors */
#define READ_ALIGNMENT    4096 /* of the buffer: enough for O_DIRECT on every disk */

/* UEFI 2.10, 5.3.2: of the header in sector 1, what says where the entries are. */
#define GPT_SIGNATURE      "EFI PART"
#define GPT_ENTRIES_LBA    72
#define GPT_ENTRIES_NUMBER 80
#define GPT_ENTRY_SIZE     84

void table_copy_done(TableCopy *copy)
{
        (void)close_fd(copy->memory_fd);
        (void)close_fd(copy->disk_fd);
        (void)close_fd(copy->direct_fd);
        free(copy->disk);
        free(copy->memory);
        free(copy->check);
        *copy = TABLE_COPY_NONE;
}

static int disk_measure(int fd, bool *ret_is_file, uint64_t *ret_size, unsigned *ret_sector_size)
{
        struct stat status;
        int sector_size, r;

        r = RET_ERRNO(fstat(fd, &status));
        if (r < 0)
                return r;
        *ret_is_file = S_ISREG(status.st_mode);
        if (*ret_is_file) {
                *ret_size = (uint64_t)status.st_size;
                *ret_sector_size = SECTOR_SIZE_MIN;
                return 0;
        }
        if (!S_ISBLK(status.st_mode))
                return -ENOTBLK;

        if (ioctl(fd, BLKGETSIZE64, ret_size) < 0 || ioctl(fd, BLKSSZGET, &sector_size) < 0)
                return -errno;
        if (sector_size < SECTOR_SIZE_MIN || sector_size > SECTOR_SIZE_MAX
            || !is_power_of_two((uint64_t)sector_size))
                return -EOPNOTSUPP;
        *ret_sector_size = (unsigned)sector_size;
        return 0;
}

/* Where the bytes of the copied ends begin on the disk, and how many there are. */
static uint64_t tail_offset(const TableCopy *copy)
{
        return copy->size - copy->tail_size;
}

static int ends_read_from(const TableCopy *copy, int fd, uint8_t *data)
{
        int r;

        r = pread_full(fd, data, copy->head_size, 0);
        if (r < 0)
                return r;
        return pread_full(fd, data + copy->head_size, copy->tail_size, tail_offset(copy));
}

/*
 * After an fsync that failed the page cache may hold what the medium does not: only a direct read tells the
 * truth. Where there is none (tmpfs), there is no medium either.
 */
static int ends_read(const TableCopy *copy, uint8_t *data)
{
        int r = -EINVAL;

        if (copy->direct_fd >= 0)
                r = ends_read_from(copy, copy->direct_fd, data);
        return r == -EINVAL ? ends_read_from(copy, copy->disk_fd, data) : r;
}

static uint64_t le64_at(const uint8_t *data)
{
        uint64_t value;

        memcpy(&value, data, sizeof(value));
        return le64toh(value);
}

static uint32_t le32_at(const uint8_t *data)
{
        uint32_t value;

        memcpy(&value, data, sizeof(value));
        return le32toh(value);
}

/* A table with entries in another place must not be taken for a damaged one, and "repaired". */
static int entries_check(const TableCopy *copy)
{
        const uint8_t *header = copy->disk + copy->sector_size;
        uint64_t begin, end;

        if (memcmp(header, GPT_SIGNATURE, strlen(GPT_SIGNATURE)) != 0)
                return 0;
        if (!mul_u64(le64_at(header + GPT_ENTRIES_LBA), copy->sector_size, &begin)
            || !add_u64(begin,
                        (uint64_t)le32_at(header + GPT_ENTRIES_NUMBER)
                                * le32_at(header + GPT_ENTRY_SIZE),
                        &end)
            || end > copy->head_size)
                return -EOPNOTSUPP;
        return 0;
}

static int table_copy_fill(TableCopy *copy)
{
        int r;

        r = ends_read(copy, copy->disk);
        if (r < 0)
                return r;
        r = entries_check(copy);
        if (r < 0)
                return r;

        copy->memory_fd = RET_ERRNO(memfd_create("partition-table", MFD_CLOEXEC));
        if (copy->memory_fd < 0)
                return copy->memory_fd;
        r = RET_ERRNO(ftruncate(copy->memory_fd, (off_t)copy->size));
        if (r < 0)
                return r;
        if (pwrite(copy->memory_fd, copy->disk, copy->head_size, 0) != (ssize_t)copy->head_size
            || pwrite(copy->memory_fd, copy->disk + copy->head_size, copy->tail_size,
                      (off_t)tail_offset(copy))
                       != (ssize_t)copy->tail_size)
                return -ENOMEM; /* that is what a memory file runs out of */
        return 0;
}

int table_copy_open(const char *path, bool writable, unsigned sector_size, TableCopy *ret)
{
        _cleanup_(table_copy_done) TableCopy copy = TABLE_COPY_NONE;
        unsigned own_sector_size = 0;
        int r;

        copy.disk_fd = root_open(NULL, path, writable ? O_RDWR : O_RDONLY, 0);
        if (copy.disk_fd < 0)
                return copy.disk_fd;
        r = disk_measure(copy.disk_fd, &copy.is_file, &copy.size, &own_sector_size);
        if (r < 0)
                return r;
        copy.sector_size = sector_size ? sector_size : own_sector_size;
        copy.size -= copy.size % copy.sector_size;
        if (copy.size < (uint64_t)copy.sector_size * TABLE_SECTORS_MIN || copy.size > INT64_MAX)
                return -ENOMEDIUM;

        copy.head_size = (size_t)MIN_OF((uint64_t)TABLE_COPY_SIZE, copy.size / 2);
        copy.head_size -= copy.head_size % copy.sector_size;
        copy.tail_size = (size_t)MIN_OF((uint64_t)TABLE_COPY_SIZE, copy.size - copy.head_size);
        copy.disk = aligned_alloc(READ_ALIGNMENT, 2 * TABLE_COPY_SIZE);
        copy.check = aligned_alloc(READ_ALIGNMENT, 2 * TABLE_COPY_SIZE);
        copy.memory = malloc(copy.head_size + copy.tail_size);
        if (!copy.disk || !copy.check || !copy.memory)
                return -ENOMEM;
        copy.direct_fd = root_open(NULL, path, O_RDONLY | O_DIRECT, 0);
        r = table_copy_fill(&copy);
        if (r < 0)
                return r;

        *ret = copy;
        copy = TABLE_COPY_NONE;
        return 0;
}

static int table_copy_compare(TableCopy *copy, bool *ret_changed)
{
        if (pread(copy->memory_fd, copy->memory, copy->head_size, 0) != (ssize_t)copy->head_size
            || pread(copy->memory_fd, copy->memory + copy->head_size, copy->tail_size,
                     (off_t)tail_offset(copy))
                       != (ssize_t)copy->tail_size)
                return -EIO;

        *ret_changed = memcmp(copy->memory, copy->disk, copy->head_size + copy->tail_size) != 0;
        return 0;
}

int table_copy_is_changed(TableCopy *copy)
{
        bool changed;
        int r;

        r = table_copy_compare(copy, &changed);
        return r < 0 ? r : changed;
}

/* One sector of the copied ends, at position in them; only when it differs. */
static int sector_write(TableCopy *copy, size_t position)
{
        bool in_head = position < copy->head_size;
        uint64_t offset = in_head ? position : tail_offset(copy) + (position - copy->head_size);
        int r;

        if (memcmp(copy->memory + position, copy->disk + position, copy->sector_size) == 0)
                return 0;

        r = pwrite_full(copy->disk_fd, copy->memory + position, copy->sector_size, offset);
        if (r < 0)
                return r;
        memcpy(copy->disk + position, copy->memory + position, copy->sector_size);
        copy->written[position / SECTOR_SIZE_MIN] = true;
        return 1;
}

static int sectors_write(TableCopy *copy, size_t from, size_t to)
{
        bool written = false;
        int r;

        for (size_t position = from; position < to; position += copy->sector_size) {
                r = sector_write(copy, position);
                if (r < 0)
                        return r;
                written = written || r > 0;
        }

        return written;
}

/* Synced and read back from the medium: while this copy is not good, the other one must not be touched. */
static int sectors_settle(TableCopy *copy)
{
        int r;

        r = disk_io()->sync(copy->disk_fd);
        if (r < 0)
                return r;
        r = ends_read(copy, copy->check);
        if (r < 0)
                return r;

        /* What lies between table and partitions, or in a partition at the end, may change as it likes. */
        for (size_t i = 0; i < copy->head_size + copy->tail_size; i += copy->sector_size)
                if (copy->written[i / SECTOR_SIZE_MIN]
                    && memcmp(copy->check + i, copy->disk + i, copy->sector_size) != 0)
                        return -EIO;
        return 0;
}

int table_copy_write(TableCopy *copy)
{
        size_t sector = copy->sector_size, end = copy->head_size + copy->tail_size;
        const size_t groups[][2] = {
                { copy->head_size, end }, /* the backup: its entries, and its header at the end */
                { 2 * sector, copy->head_size }, /* the primary: its entries … */
                { 0, 2 * sector },               /* … and its header, with the protective MBR */
        };
        bool changed;
        int r;

        r = table_copy_compare(copy, &changed);
        for (size_t i = 0; i < ELEMENTSOF(groups) && r >= 0; i++) {
                r = sectors_write(copy, groups[i][0], groups[i][1]);
                if (r > 0 && i == 0)
                        r = sectors_settle(copy);
        }
        if (r < 0)
                return r;

        return sectors_settle(copy);
}
