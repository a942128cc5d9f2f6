#include "base/io.h"
#include "base/text.h"
#include "transport.h"
#include "unit/unit.h"

static void test_what_is_printed_is_parsed_again(_unused_ void **state)
{
        static const char pem[] = "-----BEGIN X-----\nabc=\n-----END X-----\n";
        const Transport transport = {
                .ca = (char *)pem,
                .proxy = (char *)"",
                .password = (char *)"a=\"b\" #c\n",
                .rate_max = INT64_MAX,
                .stall = 7,
        };
        _cleanup_(buffer_done) Buffer text = BUFFER_MAX(MIB);
        _cleanup_(transport_done) Transport read = {}, copy = {};
        _cleanup_(env_file_done) EnvFile file = {};
        _cleanup_free_ char *printed = NULL;

        assert_int_equal(transport_copy(&transport, &copy), 0);
        assert_int_equal(transport_print(&copy, &text), 0);
        assert_int_equal(buffer_take_text(&text, &printed, NULL), 0);
        assert_int_equal(env_file_parse("plan", printed, NULL, NULL, &file), 0);
        assert_int_equal(transport_parse(&file, &read), 0);
        assert_string_equal(read.ca, pem);
        assert_string_equal(read.proxy, "");
        assert_string_equal(read.password, "a=\"b\" #c\n");
        assert_null(read.key);
        assert_int_equal(read.rate_max, INT64_MAX);
        assert_int_equal(read.stall, 7);
}

#define NUMBERS(stall) \
        "HTTP_RATE_MAX=0\nHTTP_RATE_MIN=0\nHTTP_CONNECT_TIMEOUT=0\nHTTP_STALL=" stall "\n"

static void test_bad_lines_are_refused(_unused_ void **state)
{
        static const char *const bad[] = {
                "",
                "HTTP_RATE_MAX=0\n",
                NUMBERS("-1"),
                NUMBERS("0") "HTTP_CA=***\n",
                NUMBERS("0") "HTTP_USER=YQ\n",   /* not padded */
                NUMBERS("0") "HTTP_USER=YQBi\n", /* a NUL in it */
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(env_file_done) EnvFile file = {};
                Transport transport;

                assert_int_equal(env_file_parse("plan", bad[i], NULL, NULL, &file), 0);
                if (transport_parse(&file, &transport) != -EBADMSG)
                        fail_msg("taken: %s", bad[i]);
        }
}

static void test_half_of_the_settings_is_none(_unused_ void **state)
{
        char *root = directory_make();
        HttpParameters parameters = {};

        for (int i = 0; i < 2; i++) {
                _cleanup_(transport_done) Transport transport = {};

                assert_int_equal(
                        text_set(i ? &transport.certificate_file : &transport.ca_file, "/pem"), 0);
                assert_int_equal(transport_load(&transport, root), 0);
                assert_non_null(transport.broken); /* no file; a certificate without its key */
                assert_int_equal(transport_apply(&transport, "https://a/", true, &parameters),
                                 -ENOKEY);
                assert_int_equal(file_replace(root, "/pem", "x", 1, 0600), 0);
        }
}

/* File and directory together; a directory that is not there, is empty, or is too large stops everything. */
static void test_authorities_come_from_a_file_and_a_directory(_unused_ void **state)
{
        static char large[TRANSPORT_PEM_MAX + 1];
        char *root = directory_make();

        memset(large, 'x', sizeof(large));
        for (int i = 0; i < 4; i++) {
                _cleanup_(transport_done) Transport transport = {};

                assert_int_equal(text_set(&transport.ca_file, "/ca.pem"), 0);
                assert_int_equal(text_set(&transport.ca_directory, "/cas"), 0);
                assert_int_equal(file_replace(root, "/ca.pem", "one", 3, 0600), 0);
                if (i == 1) {
                        assert_int_equal(file_replace(root, "/cas/b.pem", "three", 5, 0600), 0);
                        assert_int_equal(file_replace(root, "/cas/a.pem", "two", 3, 0600), 0);
                        assert_int_equal(file_replace(root, "/cas/.c.pem", "no", 2, 0600), 0);
                        assert_int_equal(file_replace(root, "/cas/d.txt", "no", 2, 0600), 0);
                }
                if (i == 2)
                        assert_int_equal(
                                file_replace(root, "/cas/a.pem", large, sizeof(large), 0600), 0);
                if (i == 3) {
                        text_clear(&transport.ca_file);
                        assert_int_equal(text_set(&transport.ca_directory, "/"), 0);
                        assert_int_equal(file_remove(root, "/ca.pem"), 0);
                }
                assert_int_equal(transport_load(&transport, root), 0);
                assert_int_equal(transport.broken == NULL, i == 1);
                if (i == 1)
                        assert_string_equal(transport.ca, "one\ntwo\nthree\n");
                else
                        assert_non_null(strstr(transport.broken, "CA_DIRECTORY"));
        }
}

static void test_passwords_and_limits_are_for_payloads(_unused_ void **state)
{
        const Transport transport = {
                .user = (char *)"me",
                .password = (char *)"secret",
                .rate_max = 5,
                .pinned_key = (char *)"pin",
        };
        HttpParameters parameters = {};

        assert_int_equal(transport_apply(&transport, "https://a/", false, &parameters), 0);
        assert_null(parameters.user);
        assert_int_equal(parameters.rate_max, 0);
        assert_string_equal(parameters.pinned_key, "pin");
        assert_int_equal(transport_apply(&transport, "https://a/", true, &parameters), 0);
        assert_string_equal(parameters.user, "me");
        assert_int_equal(parameters.rate_max, 5);
}

static void test_the_environment_is_the_last_to_name_a_proxy(_unused_ void **state)
{
        Transport transport = {};
        HttpParameters parameters = {};

        assert_int_equal(unsetenv("http_proxy"), 0);
        assert_int_equal(setenv("HTTP_PROXY", "http://p:1", true), 0);
        assert_int_equal(transport_apply(&transport, "http://a/", true, &parameters), 0);
        assert_string_equal(parameters.proxy, "http://p:1");
        assert_int_equal(transport_apply(&transport, "https://a/", true, &parameters), 0);
        assert_null(parameters.proxy); /* curl reads HTTPS_PROXY itself */
        transport.proxy = (char *)"";
        assert_int_equal(transport_apply(&transport, "http://a/", true, &parameters), 0);
        assert_string_equal(parameters.proxy, "");
        assert_int_equal(unsetenv("HTTP_PROXY"), 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_printed_is_parsed_again),
                cmocka_unit_test(test_bad_lines_are_refused),
                cmocka_unit_test(test_half_of_the_settings_is_none),
                cmocka_unit_test(test_authorities_come_from_a_file_and_a_directory),
                cmocka_unit_test(test_passwords_and_limits_are_for_payloads),
                cmocka_unit_test(test_the_environment_is_the_last_to_name_a_proxy),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
