#include "base/env-file.h"
#include "base/io.h"
#include "locksmith/coordinator.h"
#include "unit/unit.h"

static void assert_key(const char *root, const char *key, const char *value)
{
        EnvFile file;

        assert_int_equal(env_file_read(root, COORDINATOR_FILE, env_file_log, NULL, &file), 0);
        assert_string_equal(env_file_get(&file, key), value);
        env_file_done(&file);
}

static void test_there_is_one_coordinator(_unused_ void **state)
{
        char *root = directory_make();
        Coordinator first, second;

        assert_int_equal(coordinator_become(root, &first), 0);
        assert_int_equal(coordinator_become(root, &second), -EWOULDBLOCK);
        assert_int_equal(coordinator_write(&first, "reboot", "running", ""), 0);
        assert_int_equal(coordinator_become(root, &second), -EWOULDBLOCK);
        coordinator_done(&first);
        assert_int_equal(coordinator_become(root, &second), 0);
        coordinator_done(&second);
}

static void test_the_file_says_what_goes_on_and_nothing_a_shell_would_run(_unused_ void **state)
{
        char *root = directory_make();
        Coordinator coordinator;

        assert_int_equal(coordinator_become(root, &coordinator), 0);
        assert_int_equal(coordinator_write(&coordinator, "etcd-lock", "running",
                                           "no: \"$(reboot)\" `x` \\ \n;"),
                         0);
        assert_key(root, "NAME", "locksmithd");
        assert_key(root, "STRATEGY", "etcd-lock");
        assert_key(root, "STATE", "running");
        assert_key(root, "REASON", "no: __(reboot)_ _x_ _ _;");
        coordinator_done(&coordinator);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_there_is_one_coordinator),
                cmocka_unit_test(test_the_file_says_what_goes_on_and_nothing_a_shell_would_run),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
