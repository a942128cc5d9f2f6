#include <fcntl.h>

#include "base/io.h"
#include "package-store.h"
#include "unit/unit.h"

static bool is_there(const char *root, const char *path)
{
        _cleanup_close_ int fd = root_open(root, path, O_PATH, 0);

        return fd >= 0;
}

static char *wishes_text(const char *root, const char *oem)
{
        _cleanup_(package_wishes_done) PackageWishes wishes = {};
        Host host = { .oem = (char *)oem, .version = (char *)"1.0" };
        Config config = { .sysext_directory = (char *)"/x" };
        _cleanup_(update_failure_done) UpdateFailure failure = {};
        char *text = strdup("");

        assert_int_equal(package_wishes_read(root, &host, &config, &wishes, &failure), 0);
        for (size_t i = 0; i < wishes.n_items; i++) {
                _cleanup_free_ char *before = text;

                assert_return_code(text_format(&text, "%s%s%s %s|", before, wishes.items[i].name,
                                               wishes.items[i].needed ? "!" : "",
                                               wishes.items[i].directory),
                                   0);
        }
        return text;
}

static void test_what_a_host_wants(_unused_ void **state)
{
        static const struct {
                const char *vendor, *administrator, *oem, *wanted;
        } table[] = {
                { NULL, NULL, "", "" },
                { NULL, NULL, "qemu", "oem-qemu /etc/flatcar/oem-sysext|" },
                { NULL, NULL, "../qemu", "" },
                { "podman\npython\n", NULL, "", "flatcar-podman! /x|flatcar-python! /x|" },
                { "podman\npython\n", "-python # not here\nzfs", "",
                  "flatcar-podman! /x|flatcar-zfs! /x|" },
                { "podman\n", "podman\n \n#zfs\n", "", "flatcar-podman! /x|" },
                { "podman\n", "/etc/passwd\n-\n--x\na b\n", "", "flatcar-podman! /x|" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                char *root = directory_make();
                _cleanup_free_ char *got = NULL;

                if (table[i].vendor)
                        file_put(root, "/usr/share/flatcar/enabled-sysext.conf", table[i].vendor);
                if (table[i].administrator)
                        file_put(root, "/etc/flatcar/enabled-sysext.conf", table[i].administrator);
                got = wishes_text(root, table[i].oem);
                assert_string_equal(got, table[i].wanted);
        }
}

static void test_the_oem_needs_what_the_running_version_has(_unused_ void **state)
{
        char *root = directory_make();
        _cleanup_free_ char *got = NULL;

        file_put(root, "/oem/sysext/oem-qemu-1.0.raw", "image");
        got = wishes_text(root, "qemu");
        assert_string_equal(got, "oem-qemu! /oem/sysext|");
}

static void wishes_refused(const char *root, bool incomplete, int error, const char *why)
{
        _cleanup_(update_failure_done) UpdateFailure failure = {};
        const Host host = { .oem = (char *)"", .version = (char *)"1.0", .incomplete = incomplete };
        const Config config = { .sysext_directory = (char *)"/x" };
        PackageWishes wishes = {};

        assert_int_equal(package_wishes_read(root, &host, &config, &wishes, &failure), error);
        assert_int_equal(failure.code, UPDATE_ERROR_PACKAGE);
        assert_non_null(strstr(update_failure_text(&failure), why));
}

static void test_too_many_are_refused(_unused_ void **state)
{
        char *root = directory_make(), text[PACKAGES_MAX * 8 + 16];
        size_t n = 0;

        for (int i = 0; i <= PACKAGES_MAX; i++)
                n += (size_t)snprintf(text + n, sizeof(text) - n, "x%d\n", i);
        file_put(root, "/etc/flatcar/enabled-sysext.conf", text);
        wishes_refused(root, false, -E2BIG, "more than 64");
}

static void test_what_can_not_be_read_is_not_nothing(_unused_ void **state)
{
        char *root = directory_make();

        wishes_refused(root, true, -EIO, "a release file can not be read");
        file_put(root, "/etc/flatcar/enabled-sysext.conf/x", "a directory");
        wishes_refused(root, false, -EISDIR, "Is a directory");
}

/* What the server offers besides, in the order of packages[1]…; "!" is a missing hash. */
static int plan_try(const char *version, const char *const *offered, PackagePlan *ret,
                    UpdateFailure *failure)
{
        static char *urls[] = { (char *)"http://a/", (char *)"ftp://b", (char *)"https://c/d",
                                NULL };
        PackageWish items[] = {
                { .name = (char *)"oem-qemu", .directory = (char *)"/oem/sysext" },
                { .name = (char *)"flatcar-zfs", .directory = (char *)"/x", .needed = true },
        };
        const PackageWishes wishes = { .items = items, .n_items = ELEMENTSOF(items) };
        OmahaPackage packages[8] = { { .name = (char *)"flatcar-zfs.gz", .size = 1 } };
        OmahaResponse response = {
                .version = (char *)version,
                .urls = { .items = urls, .n_items = 3 },
                .packages = packages,
                .n_packages = 1,
        };

        for (; *offered; offered++)
                packages[response.n_packages++] = (OmahaPackage) {
                        .name = (char *)*offered + (**offered == '!'),
                        .hashed = **offered != '!',
                        .size = streq(*offered, "huge.gz") ? UINT64_MAX : 7,
                        .required = true,
                };
        return packages_plan(&response, &wishes, ret, failure);
}

static void test_what_is_offered_and_wanted_is_planned(_unused_ void **state)
{
        static const char *const offered[] = { "oem-azure.gz", "flatcar-zfs.gz", "oem-qemu.gz",
                                               "huge.gz",      "!kernel",        NULL };
        _cleanup_(update_failure_done) UpdateFailure failure = {};
        _cleanup_(package_plan_done) PackagePlan plan = {};

        assert_int_equal(plan_try("2.0+x~1", offered, &plan, &failure), 0);
        assert_int_equal(plan.n_items, 2);
        assert_int_equal(plan.size, 14);
        assert_string_equal(plan.items[0].name, "oem-qemu");
        assert_string_equal(plan.items[1].name, "flatcar-zfs");
        assert_string_equal(plan.items[1].version, "2.0+x~1");
        assert_int_equal(plan.items[1].urls.n_items, 2);
        assert_string_equal(plan.items[1].urls.items[1], "https://c/d/flatcar-zfs.gz");
}

static void test_what_is_needed_and_not_right_is_refused(_unused_ void **state)
{
        static const struct {
                const char *version;
                const char *offered[4];
                const char *why;
        } table[] = {
                { "2.0", { NULL }, "comes without package flatcar-zfs.gz" },
                { "2.0", { "flatcar-zfs", "flatcar-zfs.gz.gz" }, "comes without package" },
                { "2.0", { "!flatcar-zfs.gz" }, "without hash_sha256" },
                { "2.0", { "flatcar-zfs.gz", "flatcar-zfs.gz" }, "several packages" },
                { "2.0", { "flatcar-zfs.gz", "!oem-qemu.gz" }, "package oem-qemu.gz" },
                { "", { "flatcar-zfs.gz" }, "part of a file name" },
                { "../2", { "flatcar-zfs.gz" }, "part of a file name" },
                { ".2", { "flatcar-zfs.gz" }, "part of a file name" },
                { "2 0", { "flatcar-zfs.gz" }, "part of a file name" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(update_failure_done) UpdateFailure failure = {};
                PackagePlan plan = {};

                assert_int_equal(plan_try(table[i].version, table[i].offered, &plan, &failure),
                                 -EBADMSG);
                assert_int_equal(failure.code, UPDATE_ERROR_PACKAGE);
                if (!strstr(update_failure_text(&failure), table[i].why))
                        fail_msg("%s: %s", table[i].why, update_failure_text(&failure));
        }
}

static const uint8_t image_sha256[SHA256_SIZE] = { 1, 2, 3 };

/* 1: it is there. */
static int planned_find(const char *root, const PlannedPackage *package)
{
        uint8_t sha256[SHA256_SIZE] = {};
        _cleanup_close_ int fd = -1;
        int r;

        r = package_find(root, package, &fd, sha256);
        if (r > 0)
                assert_true(fd >= 0 && memcmp(sha256, image_sha256, SHA256_SIZE) == 0);
        return r;
}

static void planned_install(const char *root, const PlannedPackage *package, const uint8_t *sha256)
{
        _cleanup_close_ int fd = -1;

        assert_int_equal(package_begin(root, package, &fd), 0);
        assert_int_equal(planned_find(root, package), 0);
        assert_int_equal(write_full(fd, "image", 5), 0);
        assert_int_equal(package_commit(root, package, fd, sha256), 0);
}

static void test_an_image_is_made_once_for_each_content(_unused_ void **state)
{
        PlannedPackage package = { .name = (char *)"oem-x",
                                   .directory = (char *)"/o/s",
                                   .version = (char *)"1" };
        char *root = directory_make();
        _cleanup_close_ int fd = -1;

        assert_int_equal(planned_find(root, &package), 0);
        planned_install(root, &package, image_sha256);
        assert_true(is_there(root, "/o/s/oem-x-1.raw"));
        assert_int_equal(planned_find(root, &package), 1);

        package.sha256[3] = 7; /* the server has another one under the same version */
        assert_int_equal(planned_find(root, &package), 0);
        assert_int_equal(package_begin(root, &package, &fd), 0);
        assert_false(is_there(root, "/o/s/oem-x-1.raw"));
        assert_true(is_there(root, "/o/s/.oem-x-1.raw.part"));
        package_discard(root, &package);
        assert_false(is_there(root, "/o/s/.oem-x-1.raw.part"));
        planned_install(root, &package, image_sha256);
        assert_int_equal(planned_find(root, &package), 1);
        planned_install(root, &package, NULL); /* nobody knows what it hashes to */
        assert_true(is_there(root, "/o/s/oem-x-1.raw"));
        assert_int_equal(planned_find(root, &package), 0);
}

static void test_only_ours_are_removed(_unused_ void **state)
{
        PlannedPackage package = { .name = (char *)"flatcar-a", .directory = (char *)"/s" };
        char *kept[] = { (char *)"2", NULL };
        const TextList keep = { .items = kept, .n_items = 1 };
        char *root = directory_make();
        _cleanup_close_ int fd = -1;

        for (const char *version = "123"; *version; version++) {
                const char word[] = { *version, 0 };

                package.version = (char *)word;
                planned_install(root, &package, image_sha256);
        }
        package.version = (char *)"4";
        assert_int_equal(package_begin(root, &package, &fd), 0);
        file_put(root, "/s/flatcar-a-0.raw", "the administrator's");
        assert_int_equal(packages_collect(root, &keep), 0);
        assert_true(is_there(root, "/s/flatcar-a-0.raw"));
        assert_true(is_there(root, "/s/flatcar-a-2.raw"));
        assert_false(is_there(root, "/s/flatcar-a-1.raw") || is_there(root, "/s/flatcar-a-3.raw"));
        assert_false(is_there(root, "/s/.flatcar-a-4.raw.part"));
        assert_int_equal(packages_collect(root, &keep), 0);
}

#define SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void test_damaged_lines_of_the_record_are_passed_over(_unused_ void **state)
{
        static const char good[] =
                SHA " 2.0 oem-qemu /oem/with blank\n" SHA ":" SHA " 3.0 oem-qemu /oem\n";
        static const char *const bad[] = {
                "",
                "x 2.0 oem-qemu /oem\n",
                SHA ": 2.0 oem-qemu /oem\n",
                SHA ":x 2.0 oem-qemu /oem\n",
                SHA ":" SHA "0 2.0 oem-qemu /oem\n",
                SHA ":" SHA ":" SHA " 2.0 oem-qemu /oem\n",
                SHA "\n",
                SHA " 2.0\n",
                SHA " 2.0 oem-qemu\n",
                SHA " 2.0 oem-qemu oem\n",
                SHA " 2.0 oem-qemu /oem/../etc\n",
                SHA " 2.0 oem-qemu /oem/..\n",
                SHA " .. oem-qemu /oem\n",
                SHA " 2.0 ../oem-qemu /oem\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(package_record_done) PackageRecord record = {};
                _cleanup_free_ char *text = NULL, *printed = NULL;

                assert_return_code(text_format(&text, "%s%s", bad[i], good), 0);
                assert_int_equal(package_record_parse(text, &record), 0);
                assert_int_equal(record.n_items, 2);
                assert_false(record.items[0].hashed);
                assert_true(record.items[1].hashed);
                assert_int_equal(package_record_print(&record, &printed), 0);
                assert_string_equal(printed, good);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_a_host_wants),
                cmocka_unit_test(test_the_oem_needs_what_the_running_version_has),
                cmocka_unit_test(test_too_many_are_refused),
                cmocka_unit_test(test_what_can_not_be_read_is_not_nothing),
                cmocka_unit_test(test_what_is_offered_and_wanted_is_planned),
                cmocka_unit_test(test_what_is_needed_and_not_right_is_refused),
                cmocka_unit_test(test_an_image_is_made_once_for_each_content),
                cmocka_unit_test(test_only_ours_are_removed),
                cmocka_unit_test(test_damaged_lines_of_the_record_are_passed_over),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
