#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/text.h"
#include "slots-find.h"
#include "unit/unit.h"

static const struct {
        const char *cmdline, *uuid, *label;
} cases[] = {
        { "root=LABEL=ROOT mount.usr=PARTUUID=abc quiet", "abc", NULL },
        { "mount.usr=/dev/mapper/usr verity.usr=PARTUUID=def", "def", NULL },
        { "verity.usr=PARTUUID=def mount.usr=PARTUUID=abc", "def", NULL },
        { "mount.usr=PARTUUID=abc verity.usr=PARTUUID=def", "def", NULL },
        { "usr=PARTLABEL=USR-A", NULL, "USR-A" },
        { "root=PARTUUID=1\n", "1", NULL },
        { "root=PARTUUID=E03DD35C-7C2D", "e03dd35c-7c2d", NULL },
        { "usr=PARTUUID=1 usr=PARTUUID=2", "2", NULL },
        /* /usr is somewhere else than /, and only its device tells where */
        { "usr=/dev/sda3 root=PARTUUID=1", NULL, NULL },
        { "mount.usr=/dev/mapper/usr root=PARTUUID=1", NULL, NULL },
        { "usrhash=00ff root=PARTUUID=1", NULL, NULL },
        { "usrhash=00ff systemd.verity_usr_data=PARTUUID=def root=PARTUUID=1", "def", NULL },
        { "root=/dev/mapper/root systemd.verity_root_data=PARTLABEL=ROOT-A", NULL, "ROOT-A" },
        { "notusr=PARTUUID=1 xroot=PARTUUID=2", NULL, NULL },
        { "usr=PARTUUID= root=PARTLABEL=", NULL, NULL },
        { "root=/dev/sda9", NULL, NULL },
        { "", NULL, NULL },
};

static void test_the_command_line_names_the_running_slot(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(running_partition_done) RunningPartition running = {};
                int r = running_partition_parse(cases[i].cmdline, &running);

                if ((r == 0) != (cases[i].uuid || cases[i].label)
                    || !streq_null(running.uuid, cases[i].uuid)
                    || !streq_null(running.label, cases[i].label))
                        fail_msg("\"%s\": %d", cases[i].cmdline, r);
        }
}

static void test_another_root_is_not_asked_for_devices(_unused_ void **state)
{
        _cleanup_(running_partition_done) RunningPartition running = {};
        char *root = directory_make();

        assert_int_equal(running_partition_find(root, &running), -ENODATA);
        file_put(root, "/proc/cmdline", "usr=PARTUUID=7");
        assert_int_equal(running_partition_find(root, &running), 0);
        assert_string_equal(running.uuid, "7");
}

/* A made-up /sys. Links are relative, as in the real one. */
static void sysfs_link(const char *sysfs, const char *name, const char *target)
{
        _cleanup_free_ char *path = NULL;

        assert_true(text_format(&path, "%s/%s", sysfs, name) >= 0);
        assert_int_equal(parents_make(path, 0755), 0);
        assert_int_equal(symlink(target, path), 0);
}

static void sysfs_file(const char *sysfs, const char *name, const char *text)
{
        file_put(sysfs, name, text);
}

static void sysfs_make(const char *sysfs, const char *image)
{
        struct stat status;
        _cleanup_free_ char *own = NULL, *line = NULL;

        sysfs_file(sysfs, "/devices/pci/nvme0n1/nvme0n1p3/partition", "3\n");
        sysfs_link(sysfs, "dev/block/1:3", "../../devices/pci/nvme0n1/nvme0n1p3");
        /* dm-verity over dm-crypt over the partition */
        sysfs_link(sysfs, "devices/virtual/dm-0/slaves/nvme0n1p3",
                   "../../../pci/nvme0n1/nvme0n1p3");
        sysfs_link(sysfs, "devices/virtual/dm-1/slaves/dm-0", "../../dm-0");
        sysfs_link(sysfs, "dev/block/9:1", "../../devices/virtual/dm-1");
        /* over two devices, over itself, over nothing */
        sysfs_link(sysfs, "devices/virtual/dm-2/slaves/dm-0", "../../dm-0");
        sysfs_link(sysfs, "devices/virtual/dm-2/slaves/dm-1", "../../dm-1");
        sysfs_link(sysfs, "dev/block/9:2", "../../devices/virtual/dm-2");
        sysfs_link(sysfs, "devices/virtual/dm-3/slaves/dm-3", "../../dm-3");
        sysfs_link(sysfs, "dev/block/9:3", "../../devices/virtual/dm-3");
        sysfs_file(sysfs, "/devices/virtual/ram0/size", "0");
        sysfs_link(sysfs, "dev/block/9:4", "../../devices/virtual/ram0");
        /* verity over a loop device, whose file is on our own device: that is mapped as well */
        sysfs_file(sysfs, image, "x");
        assert_true(text_format(&line, "%s%s\n", sysfs, image) >= 0);
        sysfs_file(sysfs, "/devices/virtual/loop7/loop/backing_file", line);
        sysfs_link(sysfs, "devices/virtual/dm-4/slaves/loop7", "../../loop7");
        sysfs_link(sysfs, "dev/block/9:5", "../../devices/virtual/dm-4");
        assert_int_equal(stat(sysfs, &status), 0);
        assert_true(text_format(&own, "dev/block/%u:%u", major(status.st_dev), minor(status.st_dev))
                    >= 0);
        sysfs_link(sysfs, own, "../../devices/virtual/dm-1");
}

static void test_what_runs_is_found_through_verity_crypt_and_loop(_unused_ void **state)
{
        static const struct {
                const char *name;
                unsigned minor;
                int r;
        } found[] = {
                { "verity over crypt", 1, 0 }, { "two devices", 2, -ENOTUNIQ },
                { "itself", 3, -ELOOP },       { "no partition", 4, -ENOENT },
                { "verity over loop", 5, 0 },  { "nothing", 6, -ENOENT },
        };
        char *sysfs = directory_make();

        sysfs_make(sysfs, "/usr.img");
        for (size_t i = 0; i < ELEMENTSOF(found); i++) {
                _cleanup_free_ char *path = NULL, *disk = NULL;
                int r = sysfs_of_partition(sysfs, makedev(9, found[i].minor), &path);

                if (r != found[i].r)
                        fail_msg("%s: %d", found[i].name, r);
                if (r < 0)
                        continue;
                assert_string_equal(path + strlen(sysfs), "/devices/pci/nvme0n1/nvme0n1p3");
                assert_int_equal(disk_of_sysfs(path, &disk), 0);
                assert_string_equal(disk, "/dev/nvme0n1");
        }
}

static void test_the_disk_of_each_kind_of_partition(_unused_ void **state)
{
        static const struct {
                const char *sysfs, *disk;
        } disks[] = {
                { "/sys/devices/pci/nvme0/nvme0n1/nvme0n1p3", "/dev/nvme0n1" },
                { "/sys/devices/pci/virtio0/block/vda/vda3", "/dev/vda" },
                { "/sys/devices/pci/host0/target/block/sda/sda3", "/dev/sda" },
                { "/sys/devices/mmc0/block/mmcblk0/mmcblk0p3", "/dev/mmcblk0" },
                { "/sys/devices/pci/block/cciss!c0d0/cciss!c0d0p3", "/dev/cciss/c0d0" },
        };
        char *disk = NULL;

        for (size_t i = 0; i < ELEMENTSOF(disks); i++) {
                assert_int_equal(disk_of_sysfs(disks[i].sysfs, &disk), 0);
                assert_string_equal(disk, disks[i].disk);
                free(disk);
        }
        assert_int_equal(disk_of_sysfs("sda1", &disk), -ENODEV);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_command_line_names_the_running_slot),
                cmocka_unit_test(test_another_root_is_not_asked_for_devices),
                cmocka_unit_test(test_what_runs_is_found_through_verity_crypt_and_loop),
                cmocka_unit_test(test_the_disk_of_each_kind_of_partition),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
