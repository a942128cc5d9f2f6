#include <fcntl.h>

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

static void test_the_next_stage_takes_the_lock_over(_unused_ void **state)
{
        char *root = directory_make();
        Coordinator first, second, third;

        assert_int_equal(coordinator_become(root, &first), 0);
        assert_int_equal(fcntl(first.fd, F_SETFD, 0), 0);
        assert_int_equal(coordinator_adopt(root, first.fd, &second), 0);
        assert_int_equal(fcntl(second.fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(coordinator_become(root, &third), -EWOULDBLOCK);
        assert_int_equal(coordinator_write(&second, "reboot", "running", ""), 0);
        assert_int_equal(coordinator_become(root, &third), -EWOULDBLOCK);
        coordinator_done(&second);
        directory_remove(root);
}

static void test_what_is_not_that_file_is_not_taken_over(_unused_ void **state)
{
        char *root = directory_make();
        Coordinator first, second = { .fd = 99 };
        int fd;

        assert_int_equal(coordinator_become(root, &first), 0);
        assert_int_equal(coordinator_adopt(root, STDERR_FILENO, &second), -ESTALE);
        assert_int_equal(coordinator_adopt(root, 1000, &second), -ESTALE);

        /* the file, but another open of it, without the lock */
        fd = root_open(root, COORDINATOR_FILE, O_RDWR, 0);
        assert_true(fd >= 0);
        assert_int_equal(coordinator_adopt(root, fd, &second), -EWOULDBLOCK);
        close_fd(fd);

        /* the file of before */
        assert_int_equal(file_remove(root, COORDINATOR_FILE), 0);
        assert_int_equal(coordinator_adopt(root, first.fd, &second), -ESTALE);
        assert_int_equal(second.fd, 99);
        coordinator_done(&first);
        directory_remove(root);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_there_is_one_coordinator),
                cmocka_unit_test(test_the_file_says_what_goes_on_and_nothing_a_shell_would_run),
                cmocka_unit_test(test_the_next_stage_takes_the_lock_over),
                cmocka_unit_test(test_what_is_not_that_file_is_not_taken_over),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
