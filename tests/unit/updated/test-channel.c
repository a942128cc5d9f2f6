#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/update-conf.h"
#include "channel.h"
#include "unit/unit.h"

static void expect(const char *root, const char *path, const char *wanted)
{
        _cleanup_free_ char *text = NULL;
        int r = file_read(root, path, IO_SMALL_FILE_MAX, &text, NULL);

        assert_int_equal(r, wanted ? 0 : -ENOENT);
        if (wanted)
                assert_string_equal(text, wanted);
}

static void test_the_file_that_counts_is_changed(_unused_ void **state)
{
        char *root = directory_make(), *why = NULL;

        assert_int_equal(channel_write(root, "beta", &why), 0);
        expect(root, "/etc/coreos/update.conf", "GROUP=beta\n");
        expect(root, "/etc/flatcar/update.conf", NULL);
        file_put(root, "/etc/flatcar/update.conf", "GROUP=alpha\n");
        assert_int_equal(channel_write(root, "stable", &why), 0);
        expect(root, "/etc/coreos/update.conf", "GROUP=stable\n");
        expect(root, "/etc/flatcar/update.conf", "GROUP=stable\n");
}

/* Every other line, how it looks, and who may read it. */
static void test_the_rest_of_the_file_stays(_unused_ void **state)
{
        static const char before[] =
                "# c\nDOWNLOAD_PASSWORD=\"x y\"\n GROUP = a\nGROUP=b\nGROUPS=c";
        char *root = directory_make(), *path, *why = NULL;
        struct stat status;

        assert_int_equal(
                file_replace(root, "/etc/coreos/update.conf", before, strlen(before), 0600), 0);
        assert_int_equal(channel_write(root, "beta", &why), 0);
        expect(root, "/etc/coreos/update.conf",
               "# c\nDOWNLOAD_PASSWORD=\"x y\"\nGROUP=beta\nGROUPS=c\n");
        assert_int_equal(root_join(root, "/etc/coreos/update.conf", &path), 0);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
        free(path);
}

static void test_a_file_that_can_not_be_understood_stays(_unused_ void **state)
{
        static const char before[] = "SERVER=\"http://x/\nGROUP=a\n";
        char *root = directory_make(), *why = NULL;

        assert_int_equal(
                file_replace(root, "/etc/coreos/update.conf", before, strlen(before), 0600), 0);
        assert_int_equal(channel_write(root, "beta", &why), -EBADMSG);
        assert_non_null(strstr(why, "/etc/coreos/update.conf:1: "));
        expect(root, "/etc/coreos/update.conf", before);
        free(why);
}

static void test_two_programs_do_not_change_it_at_once(_unused_ void **state)
{
        char *root = directory_make(), *why = NULL;
        int lock = update_conf_lock(root, 0);

        assert_true(lock >= 0);
        assert_int_equal(update_conf_lock(root, USEC_PER_MSEC), -EBUSY);
        assert_int_equal(channel_write(root, "beta", &why), -EBUSY);
        assert_non_null(strstr(why, "another program"));
        expect(root, "/etc/coreos/update.conf", NULL);
        close(lock);
        assert_int_equal(channel_write(root, "beta", &why), 0);
        free(why);
}

static void test_odd_names_are_refused(_unused_ void **state)
{
        static const char *const odd[] = { "", "a b", "a\nSERVER=x", "\"a\"", "a$(b)", "\xc3\xbc" };
        char *root = directory_make(), *why = NULL;

        for (size_t i = 0; i < ELEMENTSOF(odd); i++)
                assert_int_equal(channel_write(root, odd[i], &why), -EINVAL);
        assert_true(channel_is_valid("lts-2024.a_b"));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_file_that_counts_is_changed),
                cmocka_unit_test(test_the_rest_of_the_file_stays),
                cmocka_unit_test(test_a_file_that_can_not_be_understood_stays),
                cmocka_unit_test(test_two_programs_do_not_change_it_at_once),
                cmocka_unit_test(test_odd_names_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
