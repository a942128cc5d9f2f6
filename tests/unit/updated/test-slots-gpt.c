/*
 * Writing the partition table: as libfdisk writes it, bit by bit, for both sector sizes; a damaged copy is mended
 * from the other; and what can not be understood surely is refused untouched.
 */
#include <fcntl.h>

#include "base/disk-io.h"
#include "base/io.h"
#include "base/text.h"
#include "double/disk.h"
#include "slots-gpt.h"
#include "unit/unit.h"

#define DISK_SIZE (8 * MIB)

static const unsigned sector_sizes[] = { 512, 4096 };

static const DiskPartition layout[] = {
        { "EFI-SYSTEM", DISK_TYPE_ESP, NULL, 1 * MIB, 0 },
        { "USR-A", DISK_TYPE_USR, "7130C94A-213A-4E5A-8E26-6CCE9662F132", 1 * MIB,
          DISK_BOOT_BITS(1, 0, 1) },
        { "USR-B", DISK_TYPE_USR, "E03DD35C-7C2D-4A47-B3FE-27F15780A57C", 1 * MIB, 0 },
};

typedef struct Scene {
        char *directory, *path, *other;
        unsigned sector_size;
} Scene;

static void scene_begin(Scene *scene, unsigned sector_size)
{
        scene->sector_size = sector_size;
        scene->directory = directory_make();
        assert_true(text_format(&scene->path, "%s/disk.img", scene->directory) >= 0);
        assert_true(text_format(&scene->other, "%s/other.img", scene->directory) >= 0);
        assert_int_equal(disk_make(scene->path, DISK_SIZE, sector_size, layout, 3), 0);
}

static void scene_end(Scene *scene)
{
        free(scene->path);
        free(scene->other);
}

static char *content(const char *path)
{
        char *data;
        size_t size;

        assert_int_equal(file_read(NULL, path, 2 * DISK_SIZE, &data, &size), 0);
        return data;
}

static void copy_file(const char *from, const char *to)
{
        _cleanup_free_ char *data = NULL;
        size_t size;

        assert_int_equal(file_read(NULL, from, 2 * DISK_SIZE, &data, &size), 0);
        assert_int_equal(file_replace(NULL, to, data, size, 0644), 0);
}

static bool files_are_equal(const char *a, const char *b)
{
        _cleanup_free_ char *x = content(a), *y = content(b);

        return memcmp(x, y, DISK_SIZE) == 0;
}

static void flip_byte(const char *path, uint64_t offset)
{
        _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
        uint8_t byte;

        assert_int_equal(pread_full(fd, &byte, 1, offset), 0);
        byte ^= 0x55;
        assert_int_equal(pwrite_full(fd, &byte, 1, offset), 0);
}

static void set_attributes(const char *path, size_t i, uint64_t attributes)
{
        _cleanup_(gpt_done) Gpt gpt = {};

        assert_int_equal(gpt_read(path, &gpt), 0);
        assert_int_equal(gpt.n_partitions, 3);
        gpt.partitions[i].attributes = attributes;
        assert_int_equal(gpt_write_attributes(&gpt), 0);
}

static bool wants_repair(const char *path)
{
        _cleanup_(gpt_done) Gpt gpt = {};

        assert_int_equal(gpt_read(path, &gpt), 0);
        return gpt.wants_repair;
}

static void test_a_write_is_that_of_libfdisk_bit_by_bit(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(sector_sizes); i++) {
                Scene scene;

                scene_begin(&scene, sector_sizes[i]);
                copy_file(scene.path, scene.other);
                set_attributes(scene.path, 2, DISK_BOOT_BITS(2, 1, 0));
                assert_false(files_are_equal(scene.path, scene.other));
                assert_int_equal(disk_set_attributes(scene.other, sector_sizes[i], 2,
                                                     DISK_BOOT_BITS(2, 1, 0)),
                                 0);
                assert_true(files_are_equal(scene.path, scene.other));
                assert_false(wants_repair(scene.path));
                scene_end(&scene);
        }
}

static void test_either_damaged_copy_is_mended_from_the_other(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(sector_sizes); i++) {
                unsigned sector = sector_sizes[i];
                /* header and entries of the primary table, then of the backup */
                const uint64_t places[] = { sector,
                                            sector + 16,
                                            sector + 80,
                                            2 * sector + 48,
                                            DISK_SIZE - sector,
                                            DISK_SIZE - sector + 72,
                                            DISK_SIZE - sector - 128 * 128 + 130 };

                for (size_t k = 0; k < ELEMENTSOF(places); k++) {
                        Scene scene;

                        scene_begin(&scene, sector);
                        copy_file(scene.path, scene.other);
                        flip_byte(scene.path, places[k]);
                        if (!wants_repair(scene.path))
                                fail_msg("sector size %u, byte %llu", sector,
                                         (unsigned long long)places[k]);
                        set_attributes(scene.path, 1, DISK_BOOT_BITS(1, 0, 1)); /* as it is */
                        assert_true(files_are_equal(scene.path, scene.other));
                        scene_end(&scene);
                }
        }
}

static void test_two_damaged_copies_are_refused_untouched(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(sector_sizes); i++) {
                unsigned sector = sector_sizes[i];
                Gpt gpt;
                Scene scene;

                scene_begin(&scene, sector);
                flip_byte(scene.path, sector + 16);
                flip_byte(scene.path, DISK_SIZE - sector + 16);
                assert_int_equal(gpt_read(scene.path, &gpt), -ENOMEDIUM);
                scene_end(&scene);
        }
}

static void test_a_disk_that_has_grown_gets_its_backup_at_the_new_end(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(sector_sizes); i++) {
                Scene scene;

                scene_begin(&scene, sector_sizes[i]);
                assert_int_equal(truncate(scene.path, DISK_SIZE + 4 * MIB), 0);
                assert_true(wants_repair(scene.path));
                set_attributes(scene.path, 2, DISK_BOOT_BITS(2, 1, 0));
                assert_false(wants_repair(scene.path));

                flip_byte(scene.path, sector_sizes[i]); /* the new backup is enough to mend it */
                assert_true(wants_repair(scene.path));
                set_attributes(scene.path, 2, DISK_BOOT_BITS(2, 0, 1));
                assert_false(wants_repair(scene.path));
                scene_end(&scene);
        }
}

static void test_a_table_that_changed_meanwhile_is_left_alone(_unused_ void **state)
{
        _cleanup_(gpt_done) Gpt gpt = {};
        Scene scene;

        scene_begin(&scene, 512);
        assert_int_equal(gpt_read(scene.path, &gpt), 0);
        assert_int_equal(disk_make(scene.path, DISK_SIZE, 512, layout, 2), 0);
        copy_file(scene.path, scene.other);
        assert_int_equal(gpt_write_attributes(&gpt), -ESTALE);
        assert_true(files_are_equal(scene.path, scene.other));
        scene_end(&scene);
}

static void test_entries_in_an_unusual_place_are_refused(_unused_ void **state)
{
        uint64_t lba = 1 << 20;
        Scene scene;
        Gpt gpt;
        int fd;

        scene_begin(&scene, 512);
        fd = open(scene.path, O_RDWR | O_CLOEXEC);
        assert_int_equal(pwrite_full(fd, &lba, sizeof(lba), 512 + 72), 0);
        close(fd);
        assert_int_equal(gpt_read(scene.path, &gpt), -EOPNOTSUPP);
        scene_end(&scene);
}

static void test_what_is_no_disk_with_a_table_is_refused(_unused_ void **state)
{
        Scene scene;
        Gpt gpt;

        scene_begin(&scene, 512);
        assert_int_equal(gpt_read(scene.directory, &gpt), -ENOTBLK);
        assert_int_equal(gpt_read("/dev/null", &gpt), -ENOTBLK);
        for (off_t size = 0; size <= 64 * 1024; size += 4096) {
                assert_int_equal(truncate(scene.path, size), 0);
                assert_int_equal(gpt_read(scene.path, &gpt), -ENOMEDIUM);
        }
        scene_end(&scene);
}

/* How the order is seen from outside: writes above and below the middle of the disk, and fsyncs. */
static char order[64];

static void order_add(char c)
{
        size_t n = strlen(order);

        if ((n == 0 || order[n - 1] != c) && n + 1 < sizeof(order))
                order[n] = c;
}

static ssize_t note_pwrite(int fd, const void *data, size_t size, uint64_t offset)
{
        order_add(offset > DISK_SIZE / 2 ? 'b' : offset / 512 >= 2 ? 'e' : 'h');
        return disk_io_system.pwrite(fd, data, size, offset);
}

static int note_sync(int fd)
{
        order_add('S');
        return disk_io_system.sync(fd);
}

static void test_the_backup_is_durable_before_the_primary_is_touched(_unused_ void **state)
{
        DiskIo noting = disk_io_system;
        Scene scene;

        noting.pwrite = note_pwrite;
        noting.sync = note_sync;
        scene_begin(&scene, 512);
        disk_io_set(&noting);
        memset(order, 0, sizeof(order));
        set_attributes(scene.path, 2, DISK_BOOT_BITS(2, 1, 0));
        assert_string_equal(order, "SbSehS");

        /* Damage to the primary: it is mended before the backup changes. */
        flip_byte(scene.path, 512);
        memset(order, 0, sizeof(order));
        set_attributes(scene.path, 2, DISK_BOOT_BITS(2, 0, 1));
        disk_io_set(NULL);
        assert_string_equal(order, "hSbSehS");
        scene_end(&scene);
}

/* Entries of 200 partitions are not those of a disk with slots; 128 are. */
static void test_more_than_128_partitions_are_refused_untouched(_unused_ void **state)
{
        static const struct {
                size_t n;
                int r;
        } cases[] = { { 128, 0 }, { 129, -E2BIG }, { 200, -E2BIG } };
        DiskPartition many[200];
        Scene scene;

        for (size_t i = 0; i < ELEMENTSOF(many); i++)
                many[i] = (DiskPartition) { i % 2 == 0 ? "USR-A" : "USR-B", DISK_TYPE_USR, NULL,
                                            4096, 0 };
        scene_begin(&scene, 512);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Gpt gpt = {};

                assert_int_equal(disk_make(scene.path, DISK_SIZE, 512, many, cases[i].n), 0);
                copy_file(scene.path, scene.other);
                assert_int_equal(gpt_read(scene.path, &gpt), cases[i].r);
                assert_true(files_are_equal(scene.path, scene.other));
                gpt_done(&gpt);
        }
        scene_end(&scene);
}

/* A table with room for 256 partitions, with three in it. */
static void test_a_larger_table_is_written_where_it_is(_unused_ void **state)
{
        DiskPartition many[130];
        Scene scene;
        Gpt gpt;

        for (size_t i = 0; i < ELEMENTSOF(many); i++)
                many[i] = (DiskPartition) { "X", DISK_TYPE_ESP, NULL, 4096, 0 };
        scene_begin(&scene, 512);
        assert_int_equal(disk_make(scene.path, DISK_SIZE, 512, many, ELEMENTSOF(many)), 0);
        for (size_t i = 3; i < ELEMENTSOF(many); i++)
                assert_int_equal(disk_remove(scene.path, 512, i), 0);
        copy_file(scene.path, scene.other);
        set_attributes(scene.path, 1, DISK_BOOT_BITS(2, 1, 0));
        assert_int_equal(disk_set_attributes(scene.other, 512, 1, DISK_BOOT_BITS(2, 1, 0)), 0);
        assert_true(files_are_equal(scene.path, scene.other));
        assert_int_equal(gpt_read(scene.path, &gpt), 0);
        assert_int_equal(gpt.n_partitions, 3);
        assert_false(gpt.wants_repair);
        gpt_done(&gpt);
        scene_end(&scene);
}

/* The MBR of a hybrid one is somebody's work: a partition of it, beside the protective one. */
static void test_a_hybrid_mbr_stays_as_it_is(_unused_ void **state)
{
        static const uint8_t partition[16] = {
                0x80, 0, 2, 0, 0x0c, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0
        };
        uint8_t before[512], after[512];
        Scene scene;
        int fd;

        scene_begin(&scene, 512);
        fd = open(scene.path, O_RDWR | O_CLOEXEC);
        assert_int_equal(pwrite_full(fd, partition, sizeof(partition), 446 + 16), 0);
        assert_int_equal(pread_full(fd, before, sizeof(before), 0), 0);
        assert_false(wants_repair(scene.path));
        set_attributes(scene.path, 2, DISK_BOOT_BITS(2, 1, 0));
        assert_int_equal(pread_full(fd, after, sizeof(after), 0), 0);
        assert_memory_equal(before, after, sizeof(before));
        assert_false(wants_repair(scene.path));

        flip_byte(scene.path, 512 + 16); /* also when the table behind it is mended */
        set_attributes(scene.path, 2, DISK_BOOT_BITS(2, 0, 1));
        assert_int_equal(pread_full(fd, after, sizeof(after), 0), 0);
        assert_memory_equal(before, after, sizeof(before));
        close(fd);
        scene_end(&scene);
}

static void test_the_device_of_each_kind_of_partition(_unused_ void **state)
{
        static const struct {
                const char *disk, *partition;
        } names[] = {
                { "/dev/nvme0n1", "/dev/nvme0n1p3" }, { "/dev/vda", "/dev/vda3" },
                { "/dev/sda", "/dev/sda3" },          { "/dev/mmcblk0", "/dev/mmcblk0p3" },
                { "/dev/loop7", "/dev/loop7p3" },
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                const Gpt gpt = { .path = (char *)names[i].disk };
                _cleanup_free_ char *path = NULL;

                assert_int_equal(gpt_partition_path(&gpt, 2, &path), 0);
                assert_string_equal(path, names[i].partition);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_write_is_that_of_libfdisk_bit_by_bit),
                cmocka_unit_test(test_either_damaged_copy_is_mended_from_the_other),
                cmocka_unit_test(test_two_damaged_copies_are_refused_untouched),
                cmocka_unit_test(test_a_disk_that_has_grown_gets_its_backup_at_the_new_end),
                cmocka_unit_test(test_a_table_that_changed_meanwhile_is_left_alone),
                cmocka_unit_test(test_entries_in_an_unusual_place_are_refused),
                cmocka_unit_test(test_more_than_128_partitions_are_refused_untouched),
                cmocka_unit_test(test_a_larger_table_is_written_where_it_is),
                cmocka_unit_test(test_a_hybrid_mbr_stays_as_it_is),
                cmocka_unit_test(test_the_device_of_each_kind_of_partition),
                cmocka_unit_test(test_what_is_no_disk_with_a_table_is_refused),
                cmocka_unit_test(test_the_backup_is_durable_before_the_primary_is_touched),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
