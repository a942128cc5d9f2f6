#include "base/io.h"
#include "cloud-config/metadata.h"
#include "unit/unit.h"

static void addresses_are(const Addresses *addresses, const char *const wanted[static _ADDRESS_MAX])
{
        for (size_t i = 0; i < _ADDRESS_MAX; i++)
                if (!streq_null(addresses->items[i], wanted[i]))
                        fail_msg("%zu: %s, wanted %s", i, addresses->items[i], wanted[i]);
}

static void test_ec2_names_its_addresses(_unused_ void **state)
{
        static const struct {
                const char *text;
                int r;
                const char *public, *private;
        } table[] = {
                { "{\"local-ipv4\": \"10.0.0.5\", \"public-ipv4\": \"203.0.113.9\"}", 0,
                  "203.0.113.9", "10.0.0.5" },
                { "{\"local-ipv4\": \"203.0.113.7\", \"public-ipv4\": \"\"}", 0, NULL,
                  "203.0.113.7" },
                { "{\"local-ipv4\": \"10.0.0.5\\n  x\", \"public-ipv4\": [\"203.0.113.9\"]}", 0,
                  NULL, NULL },
                { "{\"local-ipv4\": \"::1\", \"public-ipv4\": null}", 0, NULL, NULL },
                { "{}", 0, NULL, NULL },
                { "[]", -EBADMSG, NULL, NULL },
                { "{\"local-ipv4\": \"10.0.0.5\"", -EBADMSG, NULL, NULL },
                { "", -EBADMSG, NULL, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                const char *const wanted[_ADDRESS_MAX] = {
                        [ADDRESS_PUBLIC_IPV4] = table[i].public,
                        [ADDRESS_PRIVATE_IPV4] = table[i].private,
                };
                _cleanup_(addresses_done) Addresses addresses = {};

                assert_int_equal(metadata_parse_ec2(table[i].text, &addresses), table[i].r);
                addresses_are(&addresses, wanted);
        }
}

static void test_networks_tell_by_the_address_what_is_private(_unused_ void **state)
{
        static const struct {
                const char *address;
                int id; /* -1: passed over */
        } table[] = {
                { "10.0.0.5", ADDRESS_PRIVATE_IPV4 },
                { "172.16.0.1", ADDRESS_PRIVATE_IPV4 },
                { "172.31.255.255", ADDRESS_PRIVATE_IPV4 },
                { "172.32.0.0", ADDRESS_PUBLIC_IPV4 },
                { "172.15.255.255", ADDRESS_PUBLIC_IPV4 },
                { "192.168.1.1", ADDRESS_PRIVATE_IPV4 },
                { "192.169.1.1", ADDRESS_PUBLIC_IPV4 },
                { "100.64.0.1", ADDRESS_PRIVATE_IPV4 },
                { "100.128.0.1", ADDRESS_PUBLIC_IPV4 },
                { "203.0.113.9", ADDRESS_PUBLIC_IPV4 },
                { "127.0.0.1", -1 },
                { "169.254.3.4", -1 },
                { "224.0.0.1", -1 },
                { "255.255.255.255", -1 },
                { "0.0.0.0", -1 },
                { "fd00::5", ADDRESS_PRIVATE_IPV6 },
                { "2001:db8::5", ADDRESS_PUBLIC_IPV6 },
                { "fe80::1", -1 },
                { "ff02::1", -1 },
                { "::1", -1 },
                { "::ffff:10.0.0.1", -1 },
                { "10.0.0.5/24", -1 },
                { "10.0.0", -1 },
                { "", -1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(addresses_done) Addresses addresses = {};
                const char *wanted[_ADDRESS_MAX] = {};
                char text[KIB];

                if (table[i].id >= 0)
                        wanted[table[i].id] = table[i].address;
                snprintf(text, sizeof(text), "{\"networks\": [{\"ip_address\": \"%s\"}]}",
                         table[i].address);
                assert_int_equal(metadata_parse_network(text, &addresses), 0);
                addresses_are(&addresses, wanted);
        }
}

static void test_odd_networks_are_passed_over(_unused_ void **state)
{
        static const char *const wanted[_ADDRESS_MAX] = { [ADDRESS_PRIVATE_IPV4] = "10.0.0.5" };
        _cleanup_(addresses_done) Addresses addresses = {};

        assert_int_equal(
                metadata_parse_network("{\"networks\": {\"ip_address\": \"1.2.3.4\"}}", &addresses),
                0);
        assert_int_equal(
                metadata_parse_network("{\"networks\": [7, null, [], {}, {\"ip_address\": 5},"
                                       "{\"type\": \"ipv4_dhcp\"},"
                                       "{\"ip_address\": \"10.0.0.5\"},"
                                       "{\"ip_address\": \"10.0.0.6\"}]}",
                                       &addresses),
                0);
        assert_int_equal(metadata_parse_network("7", &addresses), -EBADMSG);
        addresses_are(&addresses, wanted);
}

static void test_a_drive_is_read_and_a_damaged_one_is_named(_unused_ void **state)
{
        static const char *const wanted[_ADDRESS_MAX] = {
                [ADDRESS_PUBLIC_IPV4] = "203.0.113.9", [ADDRESS_PRIVATE_IPV4] = "10.0.0.5"
        };
        _cleanup_(addresses_done) Addresses addresses = {}, none = {};
        char *root = directory_make();
        const char *path;

        assert_int_equal(metadata_read(root, &none, &path), 0);
        file_put(root, "/media/configvirtfs/ec2/latest/meta-data.json",
                 "{\"local-ipv4\": \"10.0.0.5\"}");
        file_put(
                root, "/media/configdrive/openstack/latest/network_data.json",
                "{\"networks\": [{\"ip_address\": \"10.9.9.9\"}, {\"ip_address\": \"203.0.113.9\"}]}");
        assert_int_equal(metadata_read(root, &addresses, &path), 0);
        addresses_are(&addresses, wanted);

        file_put(root, "/media/configdrive/ec2/latest/meta-data.json", "not JSON");
        assert_int_equal(metadata_read(root, &none, &path), -EBADMSG);
        assert_string_equal(path, "/media/configdrive/ec2/latest/meta-data.json");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ec2_names_its_addresses),
                cmocka_unit_test(test_networks_tell_by_the_address_what_is_private),
                cmocka_unit_test(test_odd_networks_are_passed_over),
                cmocka_unit_test(test_a_drive_is_read_and_a_damaged_one_is_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
