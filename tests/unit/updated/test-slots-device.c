/*
 * Slots on block devices: loop devices with partitions, which only root can make. Without that all is skipped, and
 * the reason is said.
 */
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/text.h"
#include "double/disk.h"
#include "slots.h"
#include "unit/unit.h"

#define DISK_SIZE (8 * MIB)
#define SLOT_SIZE (2 * MIB)

static const DiskPartition layout[] = {
        { "USR-A", DISK_TYPE_USR, NULL, SLOT_SIZE, DISK_BOOT_BITS(1, 0, 1) },
        { "USR-B", DISK_TYPE_USR, NULL, SLOT_SIZE, 0 },
};

static const unsigned sector_sizes[] = { 512, 4096 };

typedef struct Scene {
        char *directory, *loop;
        int fd;
} Scene;

/* A kernel's view of the partitions, as partx(8) gives it. */
static int partition_announce(int fd, int number, uint64_t start, uint64_t length)
{
        struct blkpg_partition partition = { .start = (long long)start,
                                             .length = (long long)length,
                                             .pno = number };
        struct blkpg_ioctl_arg argument = { .op = BLKPG_ADD_PARTITION,
                                            .datalen = sizeof(partition),
                                            .data = &partition };

        return ioctl(fd, BLKPG, &argument);
}

static int loop_make(Scene *scene, const char *image, unsigned sector_size)
{
        struct loop_config config = { .block_size = sector_size,
                                      .info.lo_flags = LO_FLAGS_PARTSCAN };
        _cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
        _cleanup_close_ int file = open(image, O_RDWR | O_CLOEXEC);
        int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);

        if (number < 0 || file < 0 || text_format(&scene->loop, "/dev/loop%d", number) < 0)
                return -1;
        scene->fd = open(scene->loop, O_RDWR | O_CLOEXEC);
        config.fd = (uint32_t)file;
        if (scene->fd < 0 || ioctl(scene->fd, LOOP_CONFIGURE, &config) < 0) {
                free(scene->loop);
                (void)close_fd(scene->fd);
                return -1;
        }
        for (int i = 0; i < 2; i++) /* the kernel may have found them by itself */
                (void)partition_announce(scene->fd, i + 1, MIB + (uint64_t)i * SLOT_SIZE,
                                         SLOT_SIZE);
        return 0;
}

static void scene_end(Scene *scene)
{
        struct blkpg_partition partition = {};
        struct blkpg_ioctl_arg argument = { .op = BLKPG_DEL_PARTITION,
                                            .datalen = sizeof(partition),
                                            .data = &partition };

        for (partition.pno = 1; partition.pno <= 2; partition.pno++)
                (void)ioctl(scene->fd, BLKPG, &argument);
        assert_int_equal(ioctl(scene->fd, LOOP_CLR_FD, 0), 0);
        close(scene->fd);
        free(scene->loop);
}

static bool scene_begin(Scene *scene, unsigned sector_size)
{
        _cleanup_free_ char *image = NULL, *partition = NULL;

        scene->directory = directory_make();
        assert_true(text_format(&image, "%s/disk.img", scene->directory) >= 0);
        assert_int_equal(disk_make(image, DISK_SIZE, sector_size, layout, 2), 0);
        if (geteuid() != 0 || loop_make(scene, image, sector_size) < 0)
                return false;
        assert_true(text_format(&partition, "%sp2", scene->loop) >= 0);
        if (access(partition, F_OK) < 0) {
                scene_end(scene);
                return false;
        }
        return true;
}

static void slots_of(const Scene *scene, Slots *ret)
{
        _cleanup_(update_failure_done) UpdateFailure failure = {};
        const RunningPartition running = { .label = (char *)"USR-A" };

        *ret = (Slots) { .target = SLOT_NONE };
        assert_int_equal(gpt_read(scene->loop, &ret->gpt), 0);
        assert_int_equal(slots_choose(ret, &(SlotSettings) {}, &running, &failure), 0);
}

static void test_the_target_is_opened_alone(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(sector_sizes); i++) {
                _cleanup_(update_failure_done) UpdateFailure failure = {};
                SlotRegion region, second;
                Scene scene;
                Slots slots;

                assert_true(scene_begin(&scene, sector_sizes[i]));
                slots_of(&scene, &slots);
                assert_int_equal(slots_open_target(&slots, &region, &failure), 0);
                assert_true(region.offset == 0 && region.size == SLOT_SIZE);
                assert_int_equal(slots_open_target(&slots, &second, &failure), -EBUSY);
                assert_non_null(strstr(update_failure_text(&failure), "mounted or in use"));
                close(region.fd);
                slots_done(&slots);
                scene_end(&scene);
        }
}

static void file_system_make(const char *device)
{
        const char *const arguments[] = { "mke2fs", "-q", "-F", device, NULL };
        pid_t pid;
        int status;

        assert_int_equal(
                posix_spawnp(&pid, arguments[0], NULL, NULL, (char *const *)arguments, environ), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void test_a_mounted_target_is_refused(_unused_ void **state)
{
        _cleanup_(update_failure_done) UpdateFailure failure = {};
        _cleanup_free_ char *device = NULL, *place = NULL;
        SlotRegion region;
        Scene scene;
        Slots slots;

        assert_true(scene_begin(&scene, 512));
        assert_true(text_format(&device, "%sp2", scene.loop) >= 0);
        assert_true(text_format(&place, "%s/mnt", scene.directory) >= 0);
        file_system_make(device);
        assert_int_equal(mkdir(place, 0700), 0);
        assert_int_equal(mount(device, place, "ext2", 0, NULL), 0);
        slots_of(&scene, &slots);
        assert_int_equal(slots_open_target(&slots, &region, &failure), -EBUSY);
        assert_non_null(strstr(update_failure_text(&failure), "unmount it"));

        assert_int_equal(umount(place), 0);
        assert_int_equal(slots_open_target(&slots, &region, &failure), 0);
        close(region.fd);
        slots_done(&slots);
        scene_end(&scene);
}

static void test_a_read_only_target_is_refused(_unused_ void **state)
{
        _cleanup_(update_failure_done) UpdateFailure failure = {};
        _cleanup_free_ char *device = NULL;
        int fd, read_only = 1;
        SlotRegion region;
        Scene scene;
        Slots slots;

        assert_true(scene_begin(&scene, 512));
        assert_true(text_format(&device, "%sp2", scene.loop) >= 0);
        fd = open(device, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(ioctl(fd, BLKROSET, &read_only), 0);
        close(fd);
        slots_of(&scene, &slots);
        assert_true(slots_open_target(&slots, &region, &failure) < 0);
        assert_non_null(strstr(update_failure_text(&failure), "is read-only"));
        slots_done(&slots);
        scene_end(&scene);
}

static void test_a_size_that_the_kernel_does_not_know_is_refused(_unused_ void **state)
{
        _cleanup_(update_failure_done) UpdateFailure failure = {};
        SlotRegion region;
        Scene scene;
        Slots slots;

        assert_true(scene_begin(&scene, 512));
        slots_of(&scene, &slots);
        slots.gpt.partitions[slots.target].size += 512;
        assert_int_equal(slots_open_target(&slots, &region, &failure), -ESTALE);
        assert_non_null(strstr(update_failure_text(&failure), "not as large as"));
        slots_done(&slots);
        scene_end(&scene);
}

static void test_the_table_of_a_device_is_that_of_libfdisk(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(sector_sizes); i++) {
                _cleanup_free_ char *image = NULL, *other = NULL, *is = NULL, *wanted = NULL;
                _cleanup_(gpt_done) Gpt gpt = {};
                size_t size;
                Scene scene;

                assert_true(scene_begin(&scene, sector_sizes[i]));
                assert_true(text_format(&image, "%s/disk.img", scene.directory) >= 0);
                assert_true(text_format(&other, "%s/other.img", scene.directory) >= 0);
                assert_int_equal(file_read(NULL, image, DISK_SIZE, &wanted, &size), 0);
                assert_int_equal(file_replace(NULL, other, wanted, size, 0644), 0);
                free(wanted);

                assert_int_equal(gpt_read(scene.loop, &gpt), 0);
                gpt.partitions[1].attributes = DISK_BOOT_BITS(2, 1, 0);
                assert_int_equal(gpt_write_attributes(&gpt), 0);
                assert_int_equal(
                        disk_set_attributes(other, sector_sizes[i], 1, DISK_BOOT_BITS(2, 1, 0)), 0);
                assert_int_equal(file_read(NULL, image, DISK_SIZE, &is, &size), 0);
                assert_int_equal(file_read(NULL, other, DISK_SIZE, &wanted, &size), 0);
                assert_memory_equal(is, wanted, size);
                scene_end(&scene);
        }
}

static void test_what_slash_is_on_is_running(_unused_ void **state)
{
        _cleanup_free_ char *mark = NULL;
        struct stat status;

        assert_int_equal(stat("/dev/null", &status), 0);
        assert_false(device_is_running(status.st_rdev));
        assert_int_equal(stat("/", &status), 0);
        assert_true(text_format(&mark, "/sys/dev/block/%u:%u/partition", major(status.st_dev),
                                minor(status.st_dev))
                    >= 0);
        assert_true(device_is_running(status.st_dev) || access(mark, F_OK) < 0);
}

/* All of it is about what only root may make, and not in every container. */
static bool loops_can_be_made(void)
{
        Scene scene;

        if (!scene_begin(&scene, 512))
                return false;
        scene_end(&scene);
        return true;
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_target_is_opened_alone),
                cmocka_unit_test(test_a_mounted_target_is_refused),
                cmocka_unit_test(test_a_read_only_target_is_refused),
                cmocka_unit_test(test_a_size_that_the_kernel_does_not_know_is_refused),
                cmocka_unit_test(test_the_table_of_a_device_is_that_of_libfdisk),
                cmocka_unit_test(test_what_slash_is_on_is_running),
        };

        if (!loops_can_be_made()) {
                printf("1..0 # SKIP needs root and loop devices with partitions\n");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
