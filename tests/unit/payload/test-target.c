#include <fcntl.h>

#include "base/disk-io.h"
#include "base/io.h"
#include "payload/digest.h"
#include "payload/read-back.h"
#include "payload/target.h"
#include "unit/unit.h"

#define BLOCK 512

typedef struct Disk {
        char *directory;
        PayloadTarget target;
} Disk;

/* A file of 8 blocks full of 0xEE, of which the middle 4 blocks are the target. */
static Disk disk_make(void)
{
        Disk disk = { .directory = directory_make() };
        _cleanup_free_ uint8_t *fill = malloc(8 * BLOCK);

        assert_non_null(fill);
        memset(fill, 0xEE, 8 * BLOCK);
        assert_int_equal(file_replace(disk.directory, "disk", fill, 8 * BLOCK, 0600), 0);
        disk.target = (PayloadTarget) {
                .fd = root_open(disk.directory, "disk", O_RDWR, 0),
                .offset = 2 * BLOCK,
                .size = 4 * BLOCK,
        };
        assert_true(disk.target.fd >= 0);
        return disk;
}

static void disk_done(Disk *disk)
{
        close(disk->target.fd);
}

static uint8_t disk_byte(const Disk *disk, uint64_t offset)
{
        uint8_t byte;

        assert_int_equal(pread_full(disk->target.fd, &byte, 1, offset), 0);
        return byte;
}

static void test_data_goes_over_extents_holes_and_padding_and_nowhere_else(_unused_ void **state)
{
        static const Extent extents[] = { { 3, 1 }, { EXTENT_HOLE, 1 }, { 0, 2 } };
        Disk disk = disk_make();
        ExtentWriter writer = {
                .target = &disk.target,
                .image_size = 4 * BLOCK,
                .block_size = BLOCK,
                .extents = { extents, ELEMENTSOF(extents) },
        };
        uint8_t data[BLOCK + BLOCK + 10];

        memset(data, 'a', BLOCK);
        memset(data + BLOCK, 'h', BLOCK);
        memset(data + 2 * BLOCK, 'b', 10);
        assert_int_equal(extent_writer_write(&writer, data, 700), 0);
        assert_int_equal(extent_writer_write(&writer, data + 700, sizeof(data) - 700), 0);
        assert_int_equal(extent_writer_finish(&writer), 0);

        assert_int_equal(disk_byte(&disk, 2 * BLOCK - 1), 0xEE); /* in front of the target */
        assert_int_equal(disk_byte(&disk, 2 * BLOCK), 'b');
        assert_int_equal(disk_byte(&disk, 2 * BLOCK + 9), 'b');
        assert_int_equal(disk_byte(&disk, 2 * BLOCK + 10), 0);
        assert_int_equal(disk_byte(&disk, 3 * BLOCK - 1), 0);
        assert_int_equal(disk_byte(&disk, 3 * BLOCK), 0xEE); /* the rest of the extent stays */
        assert_int_equal(disk_byte(&disk, 5 * BLOCK), 'a');
        assert_int_equal(disk_byte(&disk, 6 * BLOCK - 1), 'a');
        assert_int_equal(disk_byte(&disk, 6 * BLOCK), 0xEE); /* behind it */
        disk_done(&disk);
}

static void test_data_behind_the_extents_or_the_image_is_refused(_unused_ void **state)
{
        static const Extent extents[] = { { 1, 9 } };
        Disk disk = disk_make();
        ExtentWriter writer = {
                .target = &disk.target,
                .image_size = BLOCK + 100,
                .block_size = BLOCK,
                .extents = { extents, 1 },
        };
        uint8_t data[BLOCK] = {};

        assert_int_equal(extent_writer_write(&writer, data, 101), -EFBIG);
        assert_int_equal(disk_byte(&disk, 3 * BLOCK + 100), 0xEE);

        writer.index = 0;
        writer.position = 0;
        assert_int_equal(extent_writer_write(&writer, data, 99), 0);
        assert_int_equal(extent_writer_finish(&writer), 0); /* padding ends with the image too */
        assert_int_equal(disk_byte(&disk, 3 * BLOCK + 99), 0);
        assert_int_equal(disk_byte(&disk, 3 * BLOCK + 100), 0xEE);
        disk_done(&disk);
}

static uint64_t bytes_written;

static ssize_t count_pwrite(int fd, const void *data, size_t size, uint64_t offset)
{
        bytes_written += size;
        return disk_io_system.pwrite(fd, data, size, offset);
}

static void test_what_is_there_already_is_not_written_again(_unused_ void **state)
{
        enum {
                CHUNK = 65536,
                N = 5
        };
        static const Extent extents[] = { { 0, N * CHUNK / BLOCK } };
        _cleanup_free_ uint8_t *data = calloc(N, CHUNK), *there = malloc(N * CHUNK);
        Disk disk = disk_make();
        DiskIo table = disk_io_system;

        assert_true(data && there);
        table.pwrite = count_pwrite;
        disk_io_set(&table);
        for (unsigned i = 0; i < 1 << N; i++) { /* every pattern of what is different */
                ExtentWriter writer = {
                        .target = &disk.target,
                        .image_size = N * CHUNK,
                        .block_size = BLOCK,
                        .extents = { extents, 1 },
                        .skip_same = true,
                };

                for (unsigned j = 0; j < N; j++)
                        data[j * CHUNK + i] ^= i >> j & 1;
                bytes_written = 0;
                assert_int_equal(extent_writer_write(&writer, data, N * CHUNK), 0);
                if (i > 0) /* at first there is less than that in the file */
                        assert_int_equal(bytes_written, __builtin_popcount(i) * CHUNK);
                assert_int_equal(pread_full(disk.target.fd, there, N * CHUNK, disk.target.offset),
                                 0);
                assert_memory_equal(there, data, N * CHUNK);
        }
        disk_io_set(NULL);
        disk_done(&disk);
}

static void test_what_is_read_back_is_the_image_and_not_what_is_around_it(_unused_ void **state)
{
        uint8_t data[4 * BLOCK], wanted[SHA256_SIZE], sha256[SHA256_SIZE];
        Disk disk = disk_make();

        memset(data, 0xEE, sizeof(data));
        for (size_t size = 0; size <= sizeof(data); size += 511) {
                _cleanup_(read_back_free_p) ReadBack *read_back = NULL;

                assert_int_equal(digest_of(data, size, wanted), 0);
                assert_int_equal(read_back_new(&disk.target, size, size % 2, &read_back), 0);
                assert_int_equal(read_back_sync(read_back), 0);
                assert_int_equal(read_back_advance(read_back, size / 2), 0);
                assert_int_equal(read_back_advance(read_back, SIZE_MAX), 0);
                assert_int_equal(read_back_sha256(read_back, sha256), 0);
                assert_memory_equal(sha256, wanted, SHA256_SIZE);
        }
        disk_done(&disk);
}

static void test_a_medium_that_is_shorter_than_the_image_is_told(_unused_ void **state)
{
        _cleanup_(read_back_free_p) ReadBack *read_back = NULL;
        Disk disk = disk_make();

        assert_int_equal(read_back_new(&disk.target, 8 * BLOCK, false, &read_back), 0);
        assert_int_equal(read_back_advance(read_back, 8 * BLOCK), -ENODATA);
        disk_done(&disk);
}

static void test_an_image_that_does_not_fit_is_refused(_unused_ void **state)
{
        PayloadTarget target = { .fd = 0, .size = 1000 };
        PayloadError error = {};

        assert_int_equal(target_check_size(&target, 1000, 0, &error), 0);
        assert_int_equal(target_check_size(&target, 1001, 0, &error), -EBADMSG);
        assert_int_equal(error.refusal, PAYLOAD_REFUSAL_TARGET_TOO_SMALL);
        assert_int_equal(target_check_size(&target, 1000, 999, &error), -EBADMSG);
        target.resizable = true;
        assert_int_equal(target_check_size(&target, 1000, 0, &error), 0);
        assert_int_equal(target_check_size(&target, 1001, 0, &error), -EBADMSG);
        target.size = 0;
        assert_int_equal(target_check_size(&target, 1001, 0, &error), 0);
        target.offset = INT64_MAX;
        assert_int_equal(target_check_size(&target, 1, 0, &error), -EBADMSG);
        payload_error_done(&error);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_data_goes_over_extents_holes_and_padding_and_nowhere_else),
                cmocka_unit_test(test_data_behind_the_extents_or_the_image_is_refused),
                cmocka_unit_test(test_what_is_there_already_is_not_written_again),
                cmocka_unit_test(test_what_is_read_back_is_the_image_and_not_what_is_around_it),
                cmocka_unit_test(test_a_medium_that_is_shorter_than_the_image_is_told),
                cmocka_unit_test(test_an_image_that_does_not_fit_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
