#include "base/env-file.h"
#include "base/text.h"
#include "unit/unit.h"

typedef struct Warnings {
        unsigned n;
        unsigned last_line;
} Warnings;

static void on_warning(_unused_ const char *path, unsigned line, _unused_ const char *why,
                       void *userdata)
{
        Warnings *warnings = userdata;

        warnings->n++;
        warnings->last_line = line;
}

static void test_values_are_read_as_systemd_reads_them(_unused_ void **state)
{
        static const struct {
                const char *text, *value;
        } table[] = {
                { "GROUP=beta", "beta" },
                { "GROUP=beta\r\n", "beta" },
                { "  GROUP = beta  ", "beta" },
                { "GROUP=\"two words\"", "two words" },
                { "GROUP='a\"b'", "a\"b" },
                { "GROUP=a=b", "a=b" },
                { "GROUP=", "" },
                { "GROUP=alpha\nGROUP=beta\n", "beta" },
                { "# GROUP=alpha\n; x\n\nGROUP=beta", "beta" },
                { "GROUPS=alpha", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(env_file_done) EnvFile file = {};
                Warnings warnings = {};

                assert_int_equal(env_file_parse("f", table[i].text, on_warning, &warnings, &file),
                                 0);
                assert_int_equal(warnings.n, 0);
                if (table[i].value)
                        assert_string_equal(env_file_get(&file, "GROUP"), table[i].value);
                else
                        assert_null(env_file_get(&file, "GROUP"));
        }
}

static void test_malformed_lines_are_reported_with_their_number_and_skipped(_unused_ void **state)
{
        static const char *const bad[] = { "nonsense", "=x",   "1A=x",  "A B=x",
                                           "A='x",     "A=\"", "A=\xff" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(env_file_done) EnvFile file = {};
                _cleanup_free_ char *text = NULL;
                Warnings warnings = {};

                assert_true(text_format(&text, "OK=1\n%s\nALSO=2\n", bad[i]) >= 0);
                assert_int_equal(env_file_parse("f", text, on_warning, &warnings, &file), 0);
                assert_int_equal(warnings.n, 1);
                assert_int_equal(warnings.last_line, 2);
                assert_int_equal(file.n_entries, 2);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values_are_read_as_systemd_reads_them),
                cmocka_unit_test(test_malformed_lines_are_reported_with_their_number_and_skipped),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
