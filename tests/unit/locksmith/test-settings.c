#include "base/conf.h"
#include "base/io.h"
#include "locksmith/settings.h"
#include "unit/unit.h"

/* Clears what the environment of the test run may have. */
static int set_up(_unused_ void **state)
{
        static const char *const names[] = {
                "REBOOT_STRATEGY",       "LOCKSMITHD_GROUP",
                "LOCKSMITHCTL_GROUP",    "LOCKSMITHD_ENDPOINT",
                "LOCKSMITHCTL_ENDPOINT", "REBOOT_WINDOW_START",
                "REBOOT_WINDOW_LENGTH",  "LOCKSMITHD_REBOOT_WINDOW_START"
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                assert_int_equal(unsetenv(names[i]), 0);
        return 0;
}

static void test_without_any_source_everything_has_its_default(_unused_ void **state)
{
        _cleanup_(settings_done) Settings settings = { .root = strdup(directory_make()) };
        _cleanup_free_ char *why = NULL;

        assert_int_equal(settings_read(&settings, false, &why), 0);
        assert_int_equal(settings.strategy, STRATEGY_REBOOT);
        assert_false(settings.has_window);
        assert_string_equal(settings.group, "");
        assert_int_equal(settings.etcd.endpoints.n_items, 2);
        assert_string_equal(settings.etcd.endpoints.items[0], "http://127.0.0.1:2379");
}

static void test_stronger_sources_win(_unused_ void **state)
{
        _cleanup_(settings_done) Settings settings = { .root = strdup(directory_make()) };
        _cleanup_free_ char *why = NULL;

        file_put(settings.root, "/usr/share/coreos/update.conf",
                 "REBOOT_STRATEGY=off\nLOCKSMITHD_GROUP=vendor\nLOCKSMITHD_ETCD_USERNAME=vendor\n");
        file_put(
                settings.root, "/etc/flatcar/update.conf",
                "REBOOT_STRATEGY=etcd-lock\nREBOOT_WINDOW_START=Mon 01:00\nREBOOT_WINDOW_LENGTH=1h\n");
        file_put(
                settings.root, CONF_DROP_IN,
                "[Service]\nEnvironment=\"LOCKSMITHD_ENDPOINT=https://a:2379/, b:4001\"\n"
                "Environment=\"LOCKSMITHD_REBOOT_WINDOW_START=Tue 02:00\"\nEnvironment=\"LOCKSMITHD_ETCD_CAFILE=/ca\"\n");
        assert_int_equal(setenv("LOCKSMITHD_GROUP", "environment", true), 0);
        assert_int_equal(setenv("LOCKSMITHCTL_GROUP", "tool", true), 0);
        assert_int_equal(setenv("LOCKSMITHD_ENDPOINT", "", true), 0);

        assert_int_equal(settings_read(&settings, false, &why), 0);
        assert_int_equal(settings.strategy, STRATEGY_ETCD_LOCK);
        assert_string_equal(settings.group, "environment");
        assert_string_equal(settings.user, "vendor");
        assert_string_equal(settings.window_start, "Tue 02:00");
        assert_int_equal(settings.window.weekday, 2);
        assert_string_equal(settings.etcd.endpoints.items[0], "https://a:2379");
        assert_string_equal(settings.etcd.endpoints.items[1], "http://b:4001");
        assert_non_null(after_prefix(settings.ca_file, settings.root));

        assert_string_equal(settings_origin(&settings, "LOCKSMITHD_GROUP"),
                            "LOCKSMITHD_GROUP in the environment");
        assert_string_equal(settings_origin(&settings, "LOCKSMITHD_ENDPOINT"), CONF_DROP_IN ":2");
        assert_string_equal(settings_origin(&settings, "REBOOT_WINDOW_LENGTH"),
                            "/etc/flatcar/update.conf:3");
        assert_string_equal(settings_origin(&settings, "LOCKSMITHD_ETCD_KEYFILE"), "default");
        assert_null(settings_origin(&settings, "GROUP"));
        set_up(NULL);
}

static void test_the_tool_has_its_own_variables_and_options_first(_unused_ void **state)
{
        _cleanup_(settings_done) Settings settings = { .root = strdup(directory_make()) },
                                          other = {};
        _cleanup_free_ char *why = NULL;

        file_put(settings.root, "/etc/coreos/update.conf", "LOCKSMITHD_GROUP=daemon\n");
        assert_int_equal(text_set(&other.root, settings.root), 0);
        assert_int_equal(setenv("LOCKSMITHCTL_GROUP", "tool", true), 0);
        assert_int_equal(settings_read(&settings, true, &why), 0);
        assert_string_equal(settings.group, "tool");
        assert_string_equal(settings_origin(&settings, "LOCKSMITHD_GROUP"),
                            "LOCKSMITHCTL_GROUP in the environment");
        assert_int_equal(text_set(&other.group, "option"), 0);
        assert_int_equal(settings_read(&other, true, &why), 0);
        assert_string_equal(other.group, "option");
        assert_string_equal(settings_origin(&other, "LOCKSMITHD_GROUP"), "command line");
        set_up(NULL);
}

static void test_a_bad_window_keeps_nobody_from_the_lock(_unused_ void **state)
{
        static const struct {
                const char *text, *why;
        } table[] = {
                { "REBOOT_WINDOW_START=25:00\nREBOOT_WINDOW_LENGTH=1h\n", "reboot window: start" },
                { "REBOOT_STRATEGY=etcd_lock\n",
                  "REBOOT_STRATEGY: unknown strategy \"etcd_lock\", there are reboot, etcd-lock, "
                  "best-effort and off (/etc/coreos/update.conf:1)" },
                { "LOCKSMITHD_GROUP=web\n", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(settings_done) Settings settings = { .root = strdup(directory_make()) };
                _cleanup_free_ char *why = NULL;

                file_put(settings.root, "/etc/coreos/update.conf", table[i].text);
                assert_int_equal(settings_read(&settings, true, &why), 0);
                assert_null(why);
                if (table[i].why)
                        assert_non_null(after_prefix(settings.reboot_problem, table[i].why));
                else
                        assert_null(settings.reboot_problem);
        }
}

static void test_bad_settings_are_refused_with_a_reason(_unused_ void **state)
{
        static const struct {
                const char *text, *why;
        } table[] = {
                { "REBOOT_STRATEGY=Reboot\n", "REBOOT_STRATEGY: unknown strategy \"Reboot\"" },
                { "REBOOT_WINDOW_START=14:00pm\nREBOOT_WINDOW_LENGTH=1h\n",
                  "reboot window: start \"14:00pm\"" },
                { "REBOOT_WINDOW_LENGTH=1h\n", "reboot window: start \"\"" },
                { "LOCKSMITHD_GROUP=..\n", "group: " },
                { "LOCKSMITHD_ENDPOINT=ftp://a\n", "etcd endpoint \"ftp://a\"" },
                { "LOCKSMITHD_ENDPOINT=,\n", "etcd endpoints: \",\" names 0" },
                { "LOCKSMITHD_ENDPOINT=http://a/?x\n", "etcd endpoint " },
                { "LOCKSMITHD_ETCD_KEYFILE=/k\n",
                  "an etcd client certificate and its key go together" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(settings_done) Settings settings = { .root = strdup(directory_make()) };
                _cleanup_free_ char *why = NULL;

                file_put(settings.root, "/etc/coreos/update.conf", table[i].text);
                assert_int_equal(settings_read(&settings, false, &why), -EINVAL);
                assert_non_null(after_prefix(why, table[i].why));
        }
}

static void test_the_machine_id_is_one_word(_unused_ void **state)
{
        static const struct {
                const char *text;
                int r;
        } table[] = { { "0123456789abcdef0123456789abcdef\n", 0 },
                      { " a \n", 0 },
                      { "\n", -EBADMSG },
                      { "a b\n", -EBADMSG },
                      { "a\x1b\n", -EBADMSG } };
        _cleanup_(settings_done) Settings settings = { .root = strdup(directory_make()) };
        char *missing;

        assert_int_equal(settings_machine_id(&settings, &missing), -ENOENT);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *id = NULL;

                file_put(settings.root, "/etc/machine-id", table[i].text);
                assert_int_equal(settings_machine_id(&settings, &id), table[i].r);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_without_any_source_everything_has_its_default, set_up),
                cmocka_unit_test_setup(test_stronger_sources_win, set_up),
                cmocka_unit_test_setup(test_the_tool_has_its_own_variables_and_options_first,
                                       set_up),
                cmocka_unit_test_setup(test_a_bad_window_keeps_nobody_from_the_lock, set_up),
                cmocka_unit_test_setup(test_bad_settings_are_refused_with_a_reason, set_up),
                cmocka_unit_test_setup(test_the_machine_id_is_one_word, set_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
