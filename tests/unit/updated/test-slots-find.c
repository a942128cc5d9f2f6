#include "base/io.h"
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
        { "usr=PARTUUID=1 usr=PARTUUID=2", "2", NULL },
        { "usr=/dev/sda3 root=PARTUUID=1", "1", NULL },
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
        assert_int_equal(file_replace(root, "/proc/cmdline", "usr=PARTUUID=7", 14, 0644), 0);
        assert_int_equal(running_partition_find(root, &running), 0);
        assert_string_equal(running.uuid, "7");
        directory_remove(root);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_command_line_names_the_running_slot),
                cmocka_unit_test(test_another_root_is_not_asked_for_devices),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
