#include "base/io.h"
#include "host.h"
#include "unit/unit.h"

static void test_an_empty_root_gives_defaults(_unused_ void **state)
{
        _cleanup_(host_done) Host host = {};
        char *root = directory_make();

        assert_int_equal(host_read(root, &host), 0);
        assert_string_equal(host.version, HOST_VERSION_UNKNOWN);
        assert_string_equal(host.app_id, HOST_APP_ID_DEFAULT);
        assert_string_equal(host.board, "");
        assert_string_equal(host.machine_id, "");
        assert_string_not_equal(host.machine, "");
}

static void test_release_files_come_before_os_release(_unused_ void **state)
{
        _cleanup_(host_done) Host host = {};
        char *root = directory_make();

        file_put(root, "/usr/share/flatcar/release",
                 "FLATCAR_RELEASE_VERSION=2.0\nFLATCAR_RELEASE_BOARD=arm64-usr\n");
        file_put(root, "/etc/os-release", "VERSION_ID=1.0\n");
        file_put(root, "/usr/share/oem/oem-release", "ID=\"qemu\"\nVERSION_ID=0.1\n");
        file_put(root, "/etc/machine-id", "abc\n");
        file_put(root, "/proc/sys/kernel/random/boot_id", "def\n");
        assert_int_equal(host_read(root, &host), 0);
        assert_string_equal(host.version, "2.0");
        assert_string_equal(host.board, "arm64-usr");
        assert_string_equal(host.oem, "qemu");
        assert_string_equal(host.oem_version, "0.1");
        assert_string_equal(host.machine_id, "abc");
        assert_string_equal(host.boot_id, "def");
}

static void test_os_release_is_the_last_resort(_unused_ void **state)
{
        _cleanup_(host_done) Host host = {};
        char *root = directory_make();

        file_put(root, "/usr/share/coreos/release", "COREOS_RELEASE_VERSION=\n");
        file_put(root, "/etc/os-release", "VERSION_ID=\"12\"\nnonsense\n");
        assert_int_equal(host_read(root, &host), 0);
        assert_string_equal(host.version, "12");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_an_empty_root_gives_defaults),
                cmocka_unit_test(test_release_files_come_before_os_release),
                cmocka_unit_test(test_os_release_is_the_last_resort),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
