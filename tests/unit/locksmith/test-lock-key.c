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

static void test_ids_come_back_out_of_keys(_unused_ void **state)
{
        static const char *const bad[] = { "other/a", "q/%",   "q/%2",   "q/%2g",
                                           "q/%00",   "q/a b", "q/\xc3", "q/%c3" };
        _cleanup_free_ char *id = NULL, *empty = NULL;
        char *none;

        assert_int_equal(lock_key_id("q/", "q/a%2Fb+c%C3%A9.~", &id), 0);
        assert_string_equal(id, "a/b c\xc3\xa9.~");
        assert_int_equal(lock_key_id("q/", "q/", &empty), 0);
        assert_string_equal(empty, "");
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(lock_key_id("q/", bad[i], &none), -EBADMSG);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_keys_are_those_of_locksmith),
                cmocka_unit_test(test_names_that_wander_into_other_keys_are_refused),
                cmocka_unit_test(test_our_own_keys_lie_beside_it),
                cmocka_unit_test(test_ids_come_back_out_of_keys),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
