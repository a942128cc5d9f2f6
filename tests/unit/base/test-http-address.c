#include <sys/socket.h>

#include "base/http-address.h"
#include "base/text.h"
#include "unit/unit.h"

static void test_a_free_port_is_found_and_shown(_unused_ void **state)
{
        static const char *const texts[] = { "127.0.0.1:0", "[::1]:0" };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_free_ char *shown = NULL;
                _cleanup_close_ int fd = address_listen(texts[i], &shown);
                uint64_t port;

                if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
                        continue; /* a machine without IPv6 */
                assert_true(fd >= 0);
                assert_int_equal(strncmp(shown, texts[i], strlen(texts[i]) - 1), 0);
                assert_int_equal(text_to_u64(strrchr(shown, ':') + 1, 65535, &port), 0);
                assert_true(port > 0);
        }
}

static void test_a_port_in_use_is_an_error_of_the_system(_unused_ void **state)
{
        _cleanup_free_ char *shown = NULL, *again = NULL;
        _cleanup_close_ int fd = address_listen("127.0.0.1:0", &shown);

        assert_true(fd >= 0);
        assert_int_equal(address_listen(shown, &again), -EADDRINUSE);
        assert_null(again);
}

static void test_what_is_no_address_is_refused(_unused_ void **state)
{
        static const char *const bad[] = {
                "",           "127.0.0.1", "127.0.0.1:",      ":80",
                "[::1]",      "[::1]80",   "::1:80",          "[]:80",
                "[::1:80",    "a:b",       "localhost:80",    "1.2.3.4:-1",
                "1.2.3.4:1x", "1.2.3:1:1", "127.0.0.1:65536", "300.1.1.1:1"
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_free_ char *shown = NULL;

                assert_int_equal(address_listen(bad[i], &shown), -EINVAL);
                assert_null(shown);
        }
}

static void test_a_host_header_is_a_name_or_address_and_perhaps_a_port(_unused_ void **state)
{
        static const char *const good[] = { "localhost", "a-b.example:8080", "10.0.0.1",
                                            "[::1]",     "[fe80::1]:65535",  "under_score" };
        static const char *const bad[] = { "",        ":80",       "a:",      "a:b",
                                           "a:65536", "a b",       "a\"b",    "a<b",
                                           "a/b",     "user@host", "[::1",    "[]",
                                           "[::1]x",  "a\n",       "a:80:80", "[::1%25eth0]",
                                           "\xc3\xa9" };
        char longest[512];

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_true(address_host_is_valid(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_false(address_host_is_valid(bad[i]));

        memset(longest, 'a', sizeof(longest));
        longest[255] = 0;
        assert_true(address_host_is_valid(longest));
        longest[255] = 'a';
        longest[256] = 0;
        assert_false(address_host_is_valid(longest));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_free_port_is_found_and_shown),
                cmocka_unit_test(test_a_port_in_use_is_an_error_of_the_system),
                cmocka_unit_test(test_what_is_no_address_is_refused),
                cmocka_unit_test(test_a_host_header_is_a_name_or_address_and_perhaps_a_port),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
