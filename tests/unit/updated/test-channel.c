#include "base/io.h"
#include "channel.h"
#include "unit/unit.h"

static void test_only_that_line_changes(_unused_ void **state)
{
        static const struct {
                const char *before;
                bool append;
                int r;
                const char *after;
        } table[] = {
                { "", true, 1, "GROUP=new\n" },
                { "", false, 0, "" },
                { "# GROUP=a\nSERVER=x", true, 1, "# GROUP=a\nSERVER=x\nGROUP=new\n" },
                { "# c\n GROUP = a\nSERVER=x\n", true, 1, "# c\nGROUP=new\nSERVER=x\n" },
                { "GROUP=a\nX=1\nGROUP=b", false, 1, "GROUP=new\nX=1\nGROUP=new" },
                { "GROUPS=a\nLOCKSMITHD_GROUP=b\nGROUP\n", false, 0,
                  "GROUPS=a\nLOCKSMITHD_GROUP=b\nGROUP\n" },
                { "GROUP=new\n", true, 1, "GROUP=new\n" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *after = NULL;

                assert_int_equal(channel_replace(table[i].before, "new", table[i].append, &after),
                                 table[i].r);
                if (table[i].r || !table[i].append)
                        assert_string_equal(after, table[i].after);
        }
}

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
        char *root = directory_make();

        assert_int_equal(channel_write(root, "beta"), 0);
        expect(root, "/etc/coreos/update.conf", "GROUP=beta\n");
        expect(root, "/etc/flatcar/update.conf", NULL);
        assert_int_equal(file_replace(root, "/etc/flatcar/update.conf", "GROUP=alpha\n", 12, 0644),
                         0);
        assert_int_equal(channel_write(root, "stable"), 0);
        expect(root, "/etc/coreos/update.conf", "GROUP=stable\n");
        expect(root, "/etc/flatcar/update.conf", "GROUP=stable\n");
        directory_remove(root);
}

static void test_odd_names_are_refused(_unused_ void **state)
{
        static const char *const odd[] = { "", "a b", "a\nSERVER=x", "\"a\"", "a$(b)", "\xc3\xbc" };
        char *root = directory_make();

        for (size_t i = 0; i < ELEMENTSOF(odd); i++)
                assert_int_equal(channel_write(root, odd[i]), -EINVAL);
        assert_true(channel_is_valid("lts-2024.a_b"));
        directory_remove(root);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_only_that_line_changes),
                cmocka_unit_test(test_the_file_that_counts_is_changed),
                cmocka_unit_test(test_odd_names_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
