#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <zlib.h>

#include "base/text.h"
#include "double/boot-loader.h"

/* UEFI 2.10, 5.3.2 and 5.3.3: offsets in the header and in an entry. */
#define HEADER_SIGNATURE      "EFI PART"
#define HEADER_SIZE           12
#define HEADER_CRC            16
#define HEADER_MY_LBA         24
#define HEADER_ALTERNATE_LBA  32
#define HEADER_ENTRIES_LBA    72
#define HEADER_ENTRIES_NUMBER 80
#define HEADER_ENTRY_SIZE     84
#define HEADER_ENTRIES_CRC    88
#define HEADER_SIZE_MIN       92
#define ENTRY_UUID            16
#define ENTRY_FIRST_LBA       32
#define ENTRY_LAST_LBA        40
#define ENTRY_ATTRIBUTES      48
#define ENTRY_NAME            56
#define ENTRY_SIZE_MIN        128
#define ENTRIES_MAX           4096
#define NAME_LETTERS          36

#define PRIORITY_SHIFT 48
#define TRIES_SHIFT    52
#define NIBBLE         UINT64_C(15)
#define SUCCESSFUL     (UINT64_C(1) << 56)

/* 5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6, as it lies on the disk */
static const uint8_t usr_type[16] = { 0xf4, 0xf5, 0xfb, 0x5d, 0x48, 0x28, 0xac, 0x4b,
                                      0xaa, 0x5e, 0x0d, 0x9a, 0x20, 0xb7, 0x45, 0xa6 };

static uint32_t get_u32(const uint8_t *data)
{
        uint32_t value;

        memcpy(&value, data, sizeof(value));
        return le32toh(value);
}

static uint64_t get_u64(const uint8_t *data)
{
        uint64_t value;

        memcpy(&value, data, sizeof(value));
        return le64toh(value);
}

static void put_u32(uint8_t *data, uint32_t value)
{
        value = htole32(value);
        memcpy(data, &value, sizeof(value));
}

static void put_u64(uint8_t *data, uint64_t value)
{
        value = htole64(value);
        memcpy(data, &value, sizeof(value));
}

static uint32_t checksum(const uint8_t *data, size_t size)
{
        return (uint32_t)crc32(0, data, (unsigned)size);
}

static uint32_t header_checksum(const uint8_t *header)
{
        static const uint8_t none[4];
        uint32_t size = get_u32(header + HEADER_SIZE);
        unsigned long crc = crc32(0, header, HEADER_CRC);

        crc = crc32(crc, none, sizeof(none)); /* its own field counts as zero */
        return (uint32_t)crc32(crc, header + HEADER_CRC + 4, size - HEADER_CRC - 4);
}

void boot_choice_done(BootChoice *choice)
{
        free(choice->label);
        free(choice->part_uuid);
        *choice = (BootChoice) {};
}

static bool header_is_valid(const uint8_t *header, uint64_t lba, uint64_t sector_size)
{
        uint32_t size = get_u32(header + HEADER_SIZE);

        return memcmp(header, HEADER_SIGNATURE, strlen(HEADER_SIGNATURE)) == 0
               && size >= HEADER_SIZE_MIN && size <= sector_size
               && header_checksum(header) == get_u32(header + HEADER_CRC)
               && get_u64(header + HEADER_MY_LBA) == lba;
}

/* The copy whose header is in that sector, when it is valid. */
static int table_open_at(uint8_t *disk, uint64_t size, uint64_t sector_size, uint64_t lba,
                         BootTable *ret)
{
        uint64_t at, bytes;
        BootTable table = { .disk = disk, .size = size, .sector_size = sector_size };

        if (size / sector_size < 2 || lba >= size / sector_size)
                return -ENOMEDIUM;
        table.header = disk + lba * sector_size;
        if (!header_is_valid(table.header, lba, sector_size))
                return -ENOMEDIUM;

        at = get_u64(table.header + HEADER_ENTRIES_LBA);
        table.n_entries = get_u32(table.header + HEADER_ENTRIES_NUMBER);
        table.entry_size = get_u32(table.header + HEADER_ENTRY_SIZE);
        if (at >= size / sector_size || table.entry_size < ENTRY_SIZE_MIN
            || table.entry_size > sector_size || table.n_entries > ENTRIES_MAX)
                return -ENOMEDIUM;
        bytes = (uint64_t)table.n_entries * table.entry_size;
        if (bytes > size - at * sector_size)
                return -ENOMEDIUM;
        table.entries = disk + at * sector_size;
        if (checksum(table.entries, (size_t)bytes) != get_u32(table.header + HEADER_ENTRIES_CRC))
                return -ENOMEDIUM;

        *ret = table;
        return 0;
}

int boot_table_open(uint8_t *disk, uint64_t size, BootTable *ret)
{
        static const uint64_t sector_sizes[] = { 512, 4096 };

        for (size_t i = 0; i < ELEMENTSOF(sector_sizes); i++) {
                uint64_t sector = sector_sizes[i];

                if (table_open_at(disk, size, sector, 1, ret) >= 0
                    || table_open_at(disk, size, sector, size / sector - 1, ret) >= 0)
                        return 0;
        }

        return -ENOMEDIUM;
}

bool boot_table_next_slot(const BootTable *table, uint32_t *index, BootSlot *ret)
{
        while (*index < table->n_entries) {
                uint8_t *entry = table->entries + (size_t)(*index)++ * table->entry_size;
                uint64_t attributes = get_u64(entry + ENTRY_ATTRIBUTES);
                uint64_t first = get_u64(entry + ENTRY_FIRST_LBA),
                         last = get_u64(entry + ENTRY_LAST_LBA);

                if (memcmp(entry, usr_type, sizeof(usr_type)) != 0)
                        continue;
                *ret = (BootSlot) {
                        .entry = entry,
                        .offset = first * table->sector_size,
                        .size = (last - first + 1) * table->sector_size,
                        .priority = (unsigned)(attributes >> PRIORITY_SHIFT & NIBBLE),
                        .tries = (unsigned)(attributes >> TRIES_SHIFT & NIBBLE),
                        .successful = attributes & SUCCESSFUL,
                };
                return true;
        }

        return false;
}

bool boot_slot_is_selectable(const BootSlot *slot)
{
        return slot->priority > 0 && (slot->successful || slot->tries > 0);
}

int boot_table_choose(const BootTable *table, BootSlot *ret)
{
        BootSlot slot, best = {};
        uint32_t index = 0;

        while (boot_table_next_slot(table, &index, &slot))
                if (boot_slot_is_selectable(&slot) && slot.priority > best.priority)
                        best = slot;
        if (!best.entry)
                return -ENODEV;

        *ret = best;
        return 0;
}

static void table_take_try(const BootTable *table, size_t entry_offset)
{
        uint8_t *attributes = table->entries + entry_offset + ENTRY_ATTRIBUTES;

        put_u64(attributes, get_u64(attributes) - (UINT64_C(1) << TRIES_SHIFT));
        put_u32(table->header + HEADER_ENTRIES_CRC,
                checksum(table->entries, (size_t)table->n_entries * table->entry_size));
        put_u32(table->header + HEADER_CRC, header_checksum(table->header));
}

/* The other copy, when it is valid and says the same. */
static bool table_open_other(const BootTable *table, BootTable *ret)
{
        uint64_t other_lba = get_u64(table->header + HEADER_ALTERNATE_LBA);

        return table_open_at(table->disk, table->size, table->sector_size, other_lba, ret) >= 0
               && ret->n_entries == table->n_entries && ret->entry_size == table->entry_size
               && memcmp(ret->entries, table->entries, (size_t)table->n_entries * table->entry_size)
                          == 0;
}

bool boot_table_is_twofold(const BootTable *table)
{
        BootTable other;

        return table_open_other(table, &other);
}

/* In the other copy too. */
static void slot_take_try(const BootTable *table, const BootSlot *slot)
{
        size_t offset = (size_t)(slot->entry - table->entries);
        BootTable other;
        bool same = table_open_other(table, &other);

        table_take_try(table, offset);
        if (same)
                table_take_try(&other, offset);
}

static int choice_fill(const BootSlot *slot, BootChoice *ret)
{
        const uint8_t *u = slot->entry + ENTRY_UUID;
        _cleanup_free_ char *label = calloc(1, NAME_LETTERS + 1);
        int n;

        if (!label)
                return -ENOMEM;
        for (size_t i = 0; i < NAME_LETTERS; i++)
                label[i] = (char)slot->entry[ENTRY_NAME + 2 * i]; /* ours are ASCII */
        n = text_format(&ret->part_uuid,
                        "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                        u[3], u[2], u[1], u[0], u[5], u[4], u[7], u[6], u[8], u[9], u[10], u[11],
                        u[12], u[13], u[14], u[15]);
        if (n < 0)
                return -ENOMEM;

        ret->label = TAKE_PTR(label);
        ret->offset = slot->offset;
        ret->size = slot->size;
        return 0;
}

int boot_loader_choose(const char *path, BootChoice *ret)
{
        _cleanup_close_ int fd = -1;
        BootTable table;
        BootSlot slot;
        uint8_t *disk;
        off_t size;
        int r;

        fd = RET_ERRNO(open(path, O_RDWR | O_CLOEXEC));
        if (fd < 0)
                return fd;
        size = RET_ERRNO(lseek(fd, 0, SEEK_END));
        if (size <= 0)
                return size < 0 ? (int)size : -ENOMEDIUM;
        disk = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (disk == MAP_FAILED)
                return -errno;

        r = boot_table_open(disk, (uint64_t)size, &table);
        if (r >= 0)
                r = boot_table_choose(&table, &slot);
        if (r >= 0)
                r = choice_fill(&slot, ret);
        if (r >= 0 && slot.tries > 0)
                slot_take_try(&table, &slot);
        if (munmap(disk, (size_t)size) < 0 && r >= 0)
                r = -errno;
        return r;
}
