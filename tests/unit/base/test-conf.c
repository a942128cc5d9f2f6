#include "base/conf.h"
#include "base/io.h"
#include "unit/unit.h"

static void is_found(const Conf *conf, const char *const *names, const char *text,
                     const char *origin)
{
        ConfValue value = conf_find(conf, names);
        _cleanup_free_ char *where = NULL;

        if (text)
                assert_string_equal(value.text, text);
        else
                assert_null(value.text);
        assert_int_equal(conf_origin(&value, &where), 0);
        assert_string_equal(where, origin);
}

static void test_the_strongest_source_counts_and_is_named(_unused_ void **state)
{
        static const char *const group[] = { "GROUP", NULL }, *const server[] = { "SERVER", NULL },
                                 *const empty[] = { "EMPTY", NULL },
                                 *const none[] = { "NONE", NULL };
        _cleanup_(conf_done) Conf conf = {};
        char *root = directory_make();

        file_put(root, "/usr/share/flatcar/update.conf", "SERVER=d\nEMPTY=d\n");
        file_put(root, "/usr/share/coreos/update.conf", "GROUP=c\nSERVER=c\n");
        file_put(root, "/etc/flatcar/update.conf", "\nGROUP=b\n");
        file_put(root, "/etc/coreos/update.conf", "GROUP=x\nEMPTY=\nGROUP=a\n");
        assert_int_equal(conf_read(root, NULL, NULL, &conf), 0);
        is_found(&conf, group, "a", "/etc/coreos/update.conf:3");
        is_found(&conf, server, "c", "/usr/share/coreos/update.conf:2");
        is_found(&conf, empty, "d", "/usr/share/flatcar/update.conf:2");
        is_found(&conf, none, NULL, "default");

        assert_int_equal(setenv("GROUP", "e", true), 0);
        is_found(&conf, group, "a", "/etc/coreos/update.conf:3");
        conf.environment = true;
        is_found(&conf, group, "e", "GROUP in the environment");
        assert_int_equal(unsetenv("GROUP"), 0);
}

static void test_a_stronger_name_counts_wherever_it_stands(_unused_ void **state)
{
        static const char *const names[] = { "LOCKSMITHD_X", "X", NULL };
        _cleanup_(conf_done) Conf conf = {};
        char *root = directory_make();

        file_put(root, "/usr/share/coreos/update.conf", "LOCKSMITHD_X=strong\n");
        file_put(root, CONF_DROP_IN, "[Service]\nEnvironment=\"X=weak\"\n");
        assert_int_equal(conf_read(root, NULL, NULL, &conf), 0);
        assert_int_equal(conf_read_drop_in(root, &conf), 0);
        is_found(&conf, names, "strong", "/usr/share/coreos/update.conf:1");
        is_found(&conf, names + 1, "weak", CONF_DROP_IN ":2");
}

static void test_the_drop_in_is_read_as_systemd_reads_it(_unused_ void **state)
{
        static const char *const password[] = { "P", NULL }, *const bare[] = { "B", NULL },
                                 *const exec[] = { "ExecStart", NULL },
                                 *const last[] = { "L", NULL };
        _cleanup_(conf_done) Conf conf = {};
        char *root = directory_make();

        file_put(
                root, CONF_DROP_IN,
                "# mine\n[Service]\nExecStart=/bin/true\nEnvironment=nothing\nEnvironment=\"L=first\"\n"
                "Environment=\"P=p\\\"a\\\\s%%n%$x=\\\"\"\nEnvironment=B=b\nEnvironment=\"L=last\"\n");
        assert_int_equal(conf_read_drop_in(root, &conf), 0);
        is_found(&conf, password, "p\"a\\s%n%$x=\"", CONF_DROP_IN ":6");
        is_found(&conf, bare, "b", CONF_DROP_IN ":7");
        is_found(&conf, last, "last", CONF_DROP_IN ":8");
        is_found(&conf, exec, NULL, "default");
}

static void test_nothing_there_is_fine_and_what_can_not_be_read_is_said(_unused_ void **state)
{
        _cleanup_(conf_done) Conf conf = {};
        char *root = directory_make();

        assert_int_equal(conf_read(root, NULL, NULL, &conf), 0);
        assert_int_equal(conf_read_drop_in(root, &conf), 0);
        file_put(root, "/etc/coreos", "a file where a directory should be");
        assert_int_equal(conf_read(root, NULL, NULL, &conf), 0);
        file_put(root, "/etc/flatcar/update.conf/x", "");
        assert_int_equal(conf_read(root, NULL, NULL, &conf), -EISDIR);
        file_put(root, CONF_DROP_IN "/x", "");
        assert_int_equal(conf_read_drop_in(root, &conf), -EISDIR);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_strongest_source_counts_and_is_named),
                cmocka_unit_test(test_a_stronger_name_counts_wherever_it_stands),
                cmocka_unit_test(test_the_drop_in_is_read_as_systemd_reads_it),
                cmocka_unit_test(test_nothing_there_is_fine_and_what_can_not_be_read_is_said),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
