#include "locksmith/lock-key.h"
#include "unit/unit.h"

static void test_keys_are_those_of_locksmith(_unused_ void **state)
{
        static const struct {
                const char *group, *key;
        } table[] = {
                { NULL, "coreos.com/updateengine/rebootlock/semaphore" },
                { "", "coreos.com/updateengine/rebootlock/semaphore" },
                { "web", "coreos.com/updateengine/rebootlock/groups/web/semaphore" },
                { "...", "coreos.com/updateengine/rebootlock/groups/.../semaphore" },
                { "prod/database x+y%\xc3\xa9",
                  "coreos.com/updateengine/rebootlock/groups/prod%2Fdatabase+x%2By%25%C3%A9/semaphore" },
                { "A-Za-z0-9-_.~",
                  "coreos.com/updateengine/rebootlock/groups/A-Za-z0-9-_.~/semaphore" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *key = NULL;

                assert_int_equal(lock_key_semaphore(table[i].group, &key), 0);
                assert_string_equal(key, table[i].key);
        }
}

static void test_names_that_wander_into_other_keys_are_refused(_unused_ void **state)
{
        char *key, name[LOCK_NAME_MAX + 2];

        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = 0;
        assert_int_equal(lock_key_semaphore(".", &key), -EINVAL);
        assert_int_equal(lock_key_semaphore("..", &key), -EINVAL);
        assert_int_equal(lock_key_semaphore(name, &key), -ENAMETOOLONG);
}

static void test_our_own_keys_lie_beside_it(_unused_ void **state)
{
        _cleanup_free_ char *holder = NULL, *ticket = NULL, *all = NULL;

        assert_int_equal(lock_key_holder("", "a/b", &holder), 0);
        assert_string_equal(holder, "coreos.com/updateengine/rebootlock/sluice/holders/a%2Fb");
        assert_int_equal(lock_key_ticket("g", "a", &ticket), 0);
        assert_string_equal(ticket, "coreos.com/updateengine/rebootlock/sluice/groups/g/queue/a");
        assert_int_equal(lock_key_ticket("g", NULL, &all), 0);
        assert_string_equal(all, "coreos.com/updateengine/rebootlock/sluice/groups/g/queue/");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_keys_are_those_of_locksmith),
                cmocka_unit_test(test_names_that_wander_into_other_keys_are_refused),
                cmocka_unit_test(test_our_own_keys_lie_beside_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
