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

        assert_int_equal(file_replace(root, "/a/b/c", "old", 3, 0644), 0);
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
        directory_remove(root);
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
        directory_remove(root);
}

static void test_reading_past_the_end_is_an_error_not_a_short_read(_unused_ void **state)
{
        char *root = directory_make();
        _cleanup_close_ int fd = -1;
        char data[4];

        assert_int_equal(file_replace(root, "/f", "abc", 3, 0644), 0);
        fd = root_open(root, "/f", O_RDONLY, 0);
        assert_true(fd >= 0);
        assert_int_equal(pread_full(fd, data, 3, 0), 0);
        assert_int_equal(pread_full(fd, data, 3, 1), -ENODATA);
        directory_remove(root);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(
                        test_a_replaced_file_has_the_new_content_and_mode_and_leaves_no_temporary),
                cmocka_unit_test(test_a_file_above_the_maximum_or_with_a_nul_is_refused),
                cmocka_unit_test(test_reading_past_the_end_is_an_error_not_a_short_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
