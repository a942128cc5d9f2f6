#include "cloud-config/settings.h"
#include "unit/unit.h"

static char ipv4[] = "10.1.2.3", ipv6[] = "2001:db8::1", wrong[] = "10.1.2.3\n  server: x";

static int substitute(char *private_ipv4, const char *text, Findings *findings, char **ret)
{
        const Addresses addresses = {
                .items = { [ADDRESS_PRIVATE_IPV4] = private_ipv4, [ADDRESS_PUBLIC_IPV6] = ipv6 },
        };

        return addresses_substitute(&addresses, text, (Place) {}, "path", findings, ret);
}

static void test_addresses_are_filled_in_wherever_they_stand(_unused_ void **state)
{
        static const struct {
                const char *text, *result;
        } table[] = {
                { "", "" },
                { "none", "none" },
                { "http://$private_ipv4:2379", "http://10.1.2.3:2379" },
                { "$private_ipv4$private_ipv4", "10.1.2.310.1.2.3" },
                { "[$public_ipv6]", "[2001:db8::1]" },
                /* what only looks like it */
                { "$private_ipv4_x", "$private_ipv4_x" },
                { "$private_ipv44", "$private_ipv44" },
                { "${private_ipv4}", "${private_ipv4}" },
                { "$$private_ipv4", "$10.1.2.3" },
                { "100$", "100$" },
                { "\\$private_ipv4", "$private_ipv4" },
                { "\\$x \\", "\\$x \\" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(findings_done) Findings findings = {};
                _cleanup_free_ char *result = NULL;

                assert_int_equal(substitute(ipv4, table[i].text, &findings, &result), 0);
                assert_string_equal(result, table[i].result);
                assert_int_equal(findings.n_items, 0);
        }
}

static void test_what_is_no_address_is_refused(_unused_ void **state)
{
        char *const values[] = { NULL, ipv6, wrong };
        static const char *const texts[] = { "is not known here", "is not an IPv4 address",
                                             "is not an IPv4 address" };

        for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                _cleanup_(findings_done) Findings findings = {};
                char *result = NULL;

                assert_int_equal(substitute(values[i], "a$private_ipv4", &findings, &result),
                                 -EBADMSG);
                assert_int_equal(findings.n_errors, 1);
                assert_non_null(strstr(findings.items[0].text, texts[i]));
                assert_null(result);
        }
}

static void test_a_value_does_not_grow_beyond_its_limit(_unused_ void **state)
{
        static char longest[] = "2001:0db8:1111:2222:3333:4444:5555:6666";
        const Addresses addresses = { .items = { [ADDRESS_PUBLIC_IPV6] = longest } };
        _cleanup_(findings_done) Findings findings = {};
        char text[VALUE_MAX + 1], *result = NULL;

        memset(text, 'x', VALUE_MAX);
        text[VALUE_MAX] = 0;
        memcpy(text, "$public_ipv6!", strlen("$public_ipv6!"));
        assert_int_equal(
                addresses_substitute(&addresses, text, (Place) {}, "path", &findings, &result),
                -EBADMSG);
        assert_non_null(strstr(findings.items[0].text, "too long with its addresses"));
        assert_null(result);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_addresses_are_filled_in_wherever_they_stand),
                cmocka_unit_test(test_what_is_no_address_is_refused),
                cmocka_unit_test(test_a_value_does_not_grow_beyond_its_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
