#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "fuzz/fuzz.h"
#include "slots-gpt.h"

#define DISK_MAX (256 * KIB)
#define SECTOR   512

static uint32_t u32_at(const uint8_t *data)
{
        return (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16
               | (uint32_t)data[3] << 24;
}

static void put_u32(uint8_t *data, uint32_t value)
{
        for (size_t i = 0; i < 4; i++)
                data[i] = (uint8_t)(value >> 8 * i);
}

/* Makes the checksums of a header right, so that what is behind them is looked at. */
static void header_seal(uint8_t *disk, size_t size, size_t at, size_t entries)
{
        uint8_t *header = disk + at;
        uint64_t bytes = (uint64_t)u32_at(header + 80) * u32_at(header + 84);

        if (entries < size && bytes <= size - entries)
                put_u32(header + 88, (uint32_t)crc32(0, disk + entries, (unsigned)bytes));
        put_u32(header + 16, 0);
        if (u32_at(header + 12) <= SECTOR)
                put_u32(header + 16, (uint32_t)crc32(0, header, u32_at(header + 12)));
}

/* The first byte says whether the checksums are made right; the rest is a disk. What is read can be written. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char path[64];
        uint8_t *disk;
        Gpt gpt, again;
        int fd;

        if (size < 4 * SECTOR || size > DISK_MAX)
                return 0;
        disk = malloc(size - 1);
        if (!disk)
                return 0;
        memcpy(disk, data + 1, size - 1);
        size = (size - 1) / SECTOR * SECTOR;
        if (data[0] & 1) {
                header_seal(disk, size, SECTOR, 2 * SECTOR);
                header_seal(disk, size, size - SECTOR, size - MIN_OF(size, (size_t)33 * SECTOR));
        }

        fd = memfd_create("disk", MFD_CLOEXEC);
        assert(fd >= 0 && write(fd, disk, size) == (ssize_t)size);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (gpt_read(path, &gpt) >= 0) {
                for (size_t i = 0; i < gpt.n_partitions; i++)
                        gpt.partitions[i].attributes =
                                gpt_with_priority(gpt.partitions[i].attributes, 7);
                if (gpt_write_attributes(&gpt) >= 0) {
                        assert(gpt_read(path, &again) >= 0);
                        assert(!again.wants_repair && again.n_partitions == gpt.n_partitions);
                        for (size_t i = 0; i < again.n_partitions; i++)
                                assert(gpt_priority(again.partitions[i].attributes) == 7);
                        gpt_done(&again);
                }
                gpt_done(&gpt);
        }
        (void)close(fd);
        free(disk);
        return 0;
}
