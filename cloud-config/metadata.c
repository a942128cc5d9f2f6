#include <arpa/inet.h>
#include <jansson.h>

#include "base/io.h"
#include "base/text.h"
#include "cloud-config/metadata.h"

/* A part of an address that says what it is for. */
typedef struct Prefix {
        int family;
        uint8_t bytes[2], masks[2];
} Prefix;

static const Prefix private_prefixes[] = {
        { AF_INET, { 10, 0 }, { 0xff, 0 } },       /* RFC 1918 */
        { AF_INET, { 172, 16 }, { 0xff, 0xf0 } },  /* the same */
        { AF_INET, { 192, 168 }, { 0xff, 0xff } }, /* the same */
        { AF_INET,
          { 100, 64 },
          { 0xff, 0xc0 } }, /* RFC 6598: shared by the customers of a provider */
        { AF_INET6, { 0xfc, 0 }, { 0xfe, 0 } }, /* RFC 4193: unique local */
};

/* Nobody else reaches the host there: this host, this link, and groups. */
static const Prefix useless_prefixes[] = {
        { AF_INET, { 0, 0 }, { 0xff, 0 } },        { AF_INET, { 127, 0 }, { 0xff, 0 } },
        { AF_INET, { 169, 254 }, { 0xff, 0xff } }, { AF_INET, { 224, 0 }, { 0xe0, 0 } },
        { AF_INET6, { 0, 0 }, { 0xff, 0xff } },    { AF_INET6, { 0xfe, 0x80 }, { 0xff, 0xc0 } },
        { AF_INET6, { 0xff, 0 }, { 0xff, 0 } },
};

static bool has_prefix(const Prefix *prefixes, size_t n, int family, const uint8_t *binary)
{
        for (size_t i = 0; i < n; i++)
                if (prefixes[i].family == family
                    && (binary[0] & prefixes[i].masks[0]) == prefixes[i].bytes[0]
                    && (binary[1] & prefixes[i].masks[1]) == prefixes[i].bytes[1])
                        return true;

        return false;
}

static int address_take(Addresses *addresses, AddressId id, const char *text)
{
        return addresses->items[id] ? 0 : text_set(&addresses->items[id], text);
}

static int object_parse(const char *text, json_t **ret)
{
        json_t *json = json_loads(text, 0, NULL);

        if (!json_is_object(json)) {
                json_decref(json);
                return -EBADMSG;
        }

        *ret = json;
        return 0;
}

int metadata_parse_ec2(const char *text, Addresses *addresses)
{
        static const struct {
                const char *key;
                AddressId id;
        } table[] = {
                { "local-ipv4", ADDRESS_PRIVATE_IPV4 },
                { "public-ipv4", ADDRESS_PUBLIC_IPV4 },
        };
        json_auto_t *json = NULL;
        int r;

        r = object_parse(text, &json);
        for (size_t i = 0; i < ELEMENTSOF(table) && r >= 0; i++) {
                const char *value = json_string_value(json_object_get(json, table[i].key));
                uint8_t binary[sizeof(struct in_addr)];

                if (value && inet_pton(AF_INET, value, binary) == 1)
                        r = address_take(addresses, table[i].id, value);
        }

        return r;
}

static int network_take(Addresses *addresses, const char *text)
{
        uint8_t binary[sizeof(struct in6_addr)];
        int family = strchr(text, ':') ? AF_INET6 : AF_INET;
        bool is_private;

        if (inet_pton(family, text, binary) != 1
            || has_prefix(useless_prefixes, ELEMENTSOF(useless_prefixes), family, binary))
                return 0;

        is_private = has_prefix(private_prefixes, ELEMENTSOF(private_prefixes), family, binary);
        if (family == AF_INET)
                return address_take(addresses,
                                    is_private ? ADDRESS_PRIVATE_IPV4 : ADDRESS_PUBLIC_IPV4, text);
        return address_take(addresses, is_private ? ADDRESS_PRIVATE_IPV6 : ADDRESS_PUBLIC_IPV6,
                            text);
}

int metadata_parse_network(const char *text, Addresses *addresses)
{
        json_auto_t *json = NULL;
        json_t *network;
        size_t i;
        int r;

        r = object_parse(text, &json);
        if (r < 0)
                return r;

        json_array_foreach (json_object_get(json, "networks"), i, network) {
                const char *address = json_string_value(json_object_get(network, "ip_address"));

                r = address ? network_take(addresses, address) : 0;
                if (r < 0)
                        return r;
        }

        return 0;
}

int metadata_read(const char *root, Addresses *addresses, const char **ret_path)
{
        static const struct {
                const char *paths[2];
                int (*parse)(const char *text, Addresses *addresses);
        } table[] = {
                { { "/media/configdrive/ec2/latest/meta-data.json",
                    "/media/configvirtfs/ec2/latest/meta-data.json" },
                  metadata_parse_ec2 },
                { { "/media/configdrive/openstack/latest/network_data.json",
                    "/media/configvirtfs/openstack/latest/network_data.json" },
                  metadata_parse_network },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                for (size_t k = 0; k < ELEMENTSOF(table[i].paths); k++) {
                        _cleanup_free_ char *text = NULL;
                        int r;

                        *ret_path = table[i].paths[k];
                        r = file_read(root, *ret_path, IO_SMALL_FILE_MAX, &text, NULL);
                        if (r == -ENOENT || r == -ENOTDIR)
                                continue;
                        if (r >= 0)
                                r = table[i].parse(text, addresses);
                        if (r < 0)
                                return r;
                        break;
                }

        return 0;
}
