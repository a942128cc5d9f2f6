#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "unit/unit.h"

static void test_a_replaced_file_has_the_new_content_and_mode_and_leaves_no_temporary(
        _unused_ void **state)
{
        char *root = directory_make();
        _cleanup_free_ char *text = NULL, *path = NULL;
        struct stat status;

        file_put(root, "/a/b/c", "old");
        assert_int_equal(file_replace(root, "/a/b/c", "new!", 4, 0600), 0);
        assert_int_equal(file_read(root, "/a/b/c", 100, &text, NULL), 0);
        assert_string_equal(text, "new!");
        assert_int_equal(root_join(root, "/a/b/c", &path), 0);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);

        assert_int_equal(file_remove(root, "/a/b/c"), 0);
        assert_int_equal(file_remove(root, "/a/b/c"), 0);
        *strrchr(path, '/') = 0;
        assert_int_equal(rmdir(path), 0); /* nothing else is in there */
}

static void test_a_file_above_the_maximum_or_with_a_nul_is_refused(_unused_ void **state)
{
        char *root = directory_make();
        _cleanup_free_ char *text = NULL;
        size_t size = 0;

        assert_int_equal(file_replace(root, "/f", "a\0b", 3, 0644), 0);
        assert_int_equal(file_read(root, "/f", 2, &text, &size), -EFBIG);
        assert_int_equal(file_read(root, "/f", 3, &text, NULL), -EBADMSG);
        assert_int_equal(file_read(root, "/f", 3, &text, &size), 0);
        assert_int_equal(size, 3);
        assert_int_equal(file_read(root, "/none", 3, &text, NULL), -ENOENT);
}

static void test_reading_past_the_end_is_an_error_not_a_short_read(_unused_ void **state)
{
        char *root = directory_make();
        _cleanup_close_ int fd = -1;
        char data[4];

        file_put(root, "/f", "abc");
        fd = root_open(root, "/f", O_RDONLY, 0);
        assert_true(fd >= 0);
        assert_int_equal(pread_full(fd, data, 3, 0), 0);
        assert_int_equal(pread_full(fd, data, 3, 1), -ENODATA);
}

static void put_aged(const char *root, const char *name, time_t when)
{
        const struct timespec times[2] = { { .tv_sec = when }, { .tv_sec = when } };
        _cleanup_free_ char *path = NULL;

        file_put(root, name, "x");
        assert_int_equal(root_join(root, name, &path), 0);
        assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static bool is_there(const char *root, const char *name)
{
        _cleanup_free_ char *path = NULL;
        struct stat status;

        assert_int_equal(root_join(root, name, &path), 0);
        return lstat(path, &status) == 0;
}

static void test_what_a_power_cut_left_is_swept_and_nothing_else(_unused_ void **state)
{
        static const char *const directories[] = { "/a", "/not-there", NULL };
        static const uint64_t now = 1000000;
        static const char *const kept[] = {
                "/a/file",       "/a/file.backup", "/a/.#file",       "/a/.#file.",
                "/a/.#.abcdef",  "/a/.#f.abcde",   "/a/.#f.abcdefg",  "/a/.#f.abcde1",
                "/a/.#f.ABCDEF", "/a/.f.abcdef",   "/a/d/.#f.abcdef", "/b/.#f.abcdef",
        };
        _cleanup_free_ char *link = NULL, *fifo = NULL, *twin = NULL, *second = NULL;
        char *root = directory_make();

        for (size_t i = 0; i < ELEMENTSOF(kept); i++)
                put_aged(root, kept[i], 1);
        put_aged(root, "/a/.#state.abcdef", 1);
        put_aged(root, "/a/.#update.conf.a2345z", (time_t)now - TEMPORARY_AGE - 1);
        put_aged(root, "/a/.#young.abcdef", (time_t)now - TEMPORARY_AGE);
        put_aged(root, "/a/.#future.abcdef", (time_t)now + 1);
        assert_int_equal(root_join(root, "/a/.#link.abcdef", &link), 0);
        assert_int_equal(symlink("file", link), 0);
        assert_int_equal(root_join(root, "/a/.#fifo.abcdef", &fifo), 0);
        assert_int_equal(mkfifo(fifo, 0600), 0);
        put_aged(root, "/a/.#twin.abcdef", 1);
        assert_int_equal(root_join(root, "/a/.#twin.abcdef", &twin), 0);
        assert_int_equal(root_join(root, "/a/second", &second), 0);
        assert_int_equal(linkat(AT_FDCWD, twin, AT_FDCWD, second, 0), 0);

        assert_int_equal(temporaries_sweep(root, directories, now), 2);
        assert_false(is_there(root, "/a/.#state.abcdef"));
        assert_false(is_there(root, "/a/.#update.conf.a2345z"));
        for (size_t i = 0; i < ELEMENTSOF(kept); i++)
                assert_true(is_there(root, kept[i]));
        assert_true(is_there(root, "/a/.#young.abcdef") && is_there(root, "/a/.#future.abcdef")
                    && is_there(root, "/a/.#link.abcdef") && is_there(root, "/a/.#fifo.abcdef")
                    && is_there(root, "/a/.#twin.abcdef"));
}

static void test_a_temporary_file_is_one_that_is_swept(_unused_ void **state)
{
        static const char *const directories[] = { "/", NULL };
        _cleanup_free_ char *path = NULL, *temporary = NULL;
        char *root = directory_make();
        int fd;

        assert_int_equal(root_join(root, "/file.conf", &path), 0);
        fd = temporary_create(path, &temporary);
        assert_true(fd >= 0);
        assert_int_equal(temporary_fill(fd, "half", 4, 0644), 0);
        (void)close(fd);
        assert_int_equal(temporaries_sweep(root, directories, UINT64_C(1) << 40), 1);
        assert_int_equal(access(temporary, F_OK), -1);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_a_power_cut_left_is_swept_and_nothing_else),
                cmocka_unit_test(test_a_temporary_file_is_one_that_is_swept),
                cmocka_unit_test(
                        test_a_replaced_file_has_the_new_content_and_mode_and_leaves_no_temporary),
                cmocka_unit_test(test_a_file_above_the_maximum_or_with_a_nul_is_refused),
                cmocka_unit_test(test_reading_past_the_end_is_an_error_not_a_short_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
