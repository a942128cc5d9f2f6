#include <dirent.h>
#include <sys/stat.h>

#include "base/io.h"
#include "cloud-config/stage.h"
#include "unit/unit.h"

static unsigned files_in(const char *root, const char *path)
{
        _cleanup_free_ char *full = NULL;
        struct dirent *entry;
        unsigned n = 0;
        DIR *directory;

        assert_int_equal(root_join(root, path, &full), 0);
        directory = opendir(full);
        assert_non_null(directory);
        while ((entry = readdir(directory)))
                n += entry->d_name[0] != '.';
        closedir(directory);
        return n;
}

static void assert_file(const char *root, const char *path, const char *wanted)
{
        _cleanup_free_ char *text = NULL;

        assert_int_equal(file_read(root, path, KIB, &text, NULL), 0);
        assert_string_equal(text, wanted);
}

static void test_nothing_is_visible_before_the_commit(_unused_ void **state)
{
        char *root = directory_make();
        _cleanup_(stage_done) Stage stage = {};
        const char *path = NULL;
        struct stat status;
        _cleanup_free_ char *full = NULL;

        file_put(root, "/a/one", "old");
        assert_int_equal(stage_add(&stage, root, "/a/one", "new", 0600, geteuid(), getegid()), 0);
        assert_int_equal(stage_add(&stage, root, "/b/two", "2", 0644, geteuid(), getegid()), 0);
        assert_int_equal(stage_add_link(&stage, root, "/a/link", "/dev/null"), 0);
        assert_file(root, "/a/one", "old");

        assert_int_equal(stage_commit(&stage, &path), 0);
        assert_file(root, "/a/one", "new");
        assert_file(root, "/b/two", "2");
        assert_int_equal(root_join(root, "/a/one", &full), 0);
        assert_int_equal(stat(full, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
        assert_int_equal(files_in(root, "/a"), 2);
}

static void test_a_file_that_can_not_be_staged_leaves_all_others_alone(_unused_ void **state)
{
        char *root = directory_make();

        file_put(root, "/a/one", "old");
        file_put(root, "/a/file", "");
        {
                _cleanup_(stage_done) Stage stage = {};

                assert_int_equal(
                        stage_add(&stage, root, "/a/one", "new", 0644, geteuid(), getegid()), 0);
                assert_int_equal(
                        stage_add(&stage, root, "/a/file/x", "x", 0644, geteuid(), getegid()),
                        -ENOTDIR);
        }
        assert_file(root, "/a/one", "old");
        assert_int_equal(files_in(root, "/a"), 2);
}

static void test_a_file_without_text_goes_and_may_be_gone_already(_unused_ void **state)
{
        char *root = directory_make();
        _cleanup_(stage_done) Stage stage = {};
        const char *path = NULL;

        file_put(root, "/a/one", "old");
        assert_int_equal(stage_add(&stage, root, "/a/one", NULL, 0, 0, 0), 0);
        assert_int_equal(stage_add(&stage, root, "/a/two", NULL, 0, 0, 0), 0);
        assert_int_equal(stage_commit(&stage, &path), 0);
        assert_int_equal(files_in(root, "/a"), 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_is_visible_before_the_commit),
                cmocka_unit_test(test_a_file_that_can_not_be_staged_leaves_all_others_alone),
                cmocka_unit_test(test_a_file_without_text_goes_and_may_be_gone_already),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
