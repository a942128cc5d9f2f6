#include "locksmith/sessions.h"
#include "unit/unit.h"

static void test_only_users_who_are_here_count(_unused_ void **state)
{
        static const struct {
                const char *class, *state;
                bool counts;
        } table[] = {
                { "user", "active", true },
                { "user", "online", true },
                { "user", "opening", true },
                { "user", "", true },
                { "user-early", "active", true },
                { "user-incomplete", "online", true },
                { "", "", true }, /* an old logind, or one that does not say */
                { "user", "closing", false },
                { "greeter", "active", false },
                { "lock-screen", "active", false },
                { "background", "online", false },
                { "background-light", "online", false },
                { "manager", "active", false },
                { "manager-early", "active", false },
                { "what comes next", "active", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_int_equal(session_counts(table[i].class, table[i].state), table[i].counts);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_only_users_who_are_here_count),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
