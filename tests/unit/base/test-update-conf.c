#include "base/update-conf.h"
#include "unit/unit.h"

static void test_only_what_is_named_changes(_unused_ void **state)
{
        static const struct {
                const char *old, *value, *new;
        } table[] = {
                { "", "beta", "GROUP=beta\n" },
                { "GROUP=stable\n", "beta", "GROUP=beta\n" },
                { "# a\n\nX=1\nGROUP=stable\n; b\n", "beta", "# a\n\nX=1\nGROUP=beta\n; b\n" },
                /* the first line stays, duplicates go: whoever takes the last one reads the same */
                { "GROUP=a\nX=1\nGROUP=b\n", "beta", "GROUP=beta\nX=1\n" },
                { "GROUP=a\nX=1\nGROUP=beta\n", "beta", "GROUP=beta\nX=1\n" },
                /* other keys that begin alike, and lines that are none */
                { "GROUPING=x\nGROUP\n#GROUP=y\n", "beta",
                  "GROUPING=x\nGROUP\n#GROUP=y\nGROUP=beta\n" },
                { "  GROUP = stable\n", "beta", "GROUP=beta\n" },
                { "export GROUP=x\n", "beta", "export GROUP=x\nGROUP=beta\n" },
                /* spellings that not every reader understands are made plain */
                { "GROUP=\"beta\"\n", "beta", "GROUP=beta\n" },
                { "GROUP=beta\r\n", "beta", "GROUP=beta\n" },
                { "GROUP=beta \n", "beta", "GROUP=beta\n" },
                /* a missing line end is added only when something is written anyway */
                { "GROUP=beta", "beta", "GROUP=beta" },
                { "X=1", "beta", "X=1\nGROUP=beta\n" },
                { "X=\"a b\"\r\n\xff\n", "beta", "X=\"a b\"\r\n\xff\nGROUP=beta\n" },
                /* removed */
                { "X=1\nGROUP=a\nGROUP=b\nY=2\n", NULL, "X=1\nY=2\n" },
                { "X=1", NULL, "X=1" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                const Assignment assignment = { "GROUP", table[i].value };
                _cleanup_free_ char *new = NULL;
                const char *why = NULL;
                unsigned line = 0;

                assert_int_equal(update_conf_merge(table[i].old, &assignment, 1, &new, &line, &why),
                                 0);
                assert_string_equal(new, table[i].new);
        }
}

static void test_a_file_whose_lines_run_into_each_other_is_refused(_unused_ void **state)
{
        static const struct {
                const char *old;
                unsigned line;
        } table[] = {
                { "GROUP=sta\\\nble\n", 1 }, { "X=1\n# comment \\\nGROUP=a\n", 2 },
                { "X='a\nb'\n", 1 },         { "X=\"\n", 1 },
                { "X=1\nY= \"a\r\n", 2 },    { "X=a\\\r\n", 1 },
        };
        const Assignment assignment = { "GROUP", "beta" };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                const char *why = NULL;
                unsigned line = 0;
                char *new = NULL;

                assert_int_equal(update_conf_merge(table[i].old, &assignment, 1, &new, &line, &why),
                                 -EBADMSG);
                assert_int_equal(line, table[i].line);
                assert_non_null(why);
                assert_null(new);
        }
}

static void test_lines_that_only_look_like_it_are_fine(_unused_ void **state)
{
        const Assignment assignment = { "GROUP", "beta" };
        _cleanup_free_ char *new = NULL;
        const char *why = NULL;
        unsigned line = 0;

        assert_int_equal(update_conf_merge("X=a\\\\\nY='a'\nZ=it's\nW=\"a\" \n", &assignment, 1,
                                           &new, &line, &why),
                         0);
        assert_string_equal(new, "X=a\\\\\nY='a'\nZ=it's\nW=\"a\" \nGROUP=beta\n");
}

static void test_the_last_line_of_a_key_is_found_as_it_stands(_unused_ void **state)
{
        _cleanup_free_ char *line = NULL, *none = NULL;

        assert_int_equal(update_conf_line("GROUP=a\n GROUP = \"b c\"\r\nX=1\n", "GROUP", &line), 0);
        assert_string_equal(line, " GROUP = \"b c\"\r");
        assert_int_equal(update_conf_line("GROUPS=a\n", "GROUP", &none), 0);
        assert_null(none);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_only_what_is_named_changes),
                cmocka_unit_test(test_a_file_whose_lines_run_into_each_other_is_refused),
                cmocka_unit_test(test_lines_that_only_look_like_it_are_fine),
                cmocka_unit_test(test_the_last_line_of_a_key_is_found_as_it_stands),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
