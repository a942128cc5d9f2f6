#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/env-file.h"
#include "base/text.h"
#include "cloud-config/settings.h"

static const struct {
        const char *name;     /* behind the "$" */
        const char *variable; /* of the environment */
        int family;
        const char *kind;
} address_table[_ADDRESS_MAX] = {
        [ADDRESS_PUBLIC_IPV4] = { "public_ipv4", "COREOS_PUBLIC_IPV4", AF_INET, "an IPv4" },
        [ADDRESS_PRIVATE_IPV4] = { "private_ipv4", "COREOS_PRIVATE_IPV4", AF_INET, "an IPv4" },
        [ADDRESS_PUBLIC_IPV6] = { "public_ipv6", "COREOS_PUBLIC_IPV6", AF_INET6, "an IPv6" },
        [ADDRESS_PRIVATE_IPV6] = { "private_ipv6", "COREOS_PRIVATE_IPV6", AF_INET6, "an IPv6" },
};

void addresses_done(Addresses *addresses)
{
        for (size_t i = 0; i < _ADDRESS_MAX; i++)
                free(addresses->items[i]);
        *addresses = (Addresses) {};
}

int addresses_read(const char *root, Addresses *addresses)
{
        _cleanup_(env_file_done) EnvFile file = {};
        int r;

        r = env_file_read(root, "/etc/environment", NULL, NULL, &file);
        if (r < 0 && r != -ENOENT)
                return r;

        for (size_t i = 0; i < _ADDRESS_MAX; i++) {
                const char *value = getenv(address_table[i].variable);

                if (is_empty(value))
                        value = env_file_get(&file, address_table[i].variable);
                if (addresses->items[i] || is_empty(value))
                        continue;
                r = text_set(&addresses->items[i], value);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* Recognises "$private_ipv4" at p, but not "$private_ipv4_x". Returns its length, or 0. */
static size_t variable_parse(const char *p, AddressId *ret)
{
        for (size_t i = 0; *p == '$' && i < _ADDRESS_MAX; i++) {
                const char *end = after_prefix(p + 1, address_table[i].name);

                if (end && !isalnum((unsigned char)*end) && *end != '_') {
                        *ret = (AddressId)i;
                        return (size_t)(end - p);
                }
        }

        return 0;
}

/* Returns NULL with a finding when the address can not be used. */
static const char *address_get(const Addresses *addresses, AddressId id, Place place,
                               const char *path, Findings *findings)
{
        const char *value = addresses->items[id];
        uint8_t binary[sizeof(struct in6_addr)];

        if (!value)
                finding_add(findings, SEVERITY_ERROR, place, path,
                            "set it in the environment or in /etc/environment",
                            "$%s is not known here: %s is not set", address_table[id].name,
                            address_table[id].variable);
        else if (inet_pton(address_table[id].family, value, binary) == 1)
                return value;
        else
                finding_add(findings, SEVERITY_ERROR, place, path, NULL, "%s is not %s address",
                            address_table[id].variable, address_table[id].kind);

        return NULL;
}

int addresses_substitute(const Addresses *addresses, const char *text, Place place,
                         const char *path, Findings *findings, char **ret)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(VALUE_MAX);
        AddressId id;
        int r = 0;

        while (*text && r >= 0) {
                size_t n = variable_parse(text, &id);

                if (n > 0) {
                        const char *value = address_get(addresses, id, place, path, findings);
                        if (!value)
                                return -EBADMSG;
                        r = buffer_append_text(&buffer, value);
                        text += n;
                        continue;
                }

                if (*text == '\\' && variable_parse(text + 1, &id) > 0)
                        text++;
                r = buffer_append(&buffer, text++, 1);
        }
        if (r == -EFBIG) {
                finding_add(findings, SEVERITY_ERROR, place, path, NULL,
                            "the value is too long with its addresses filled in");
                return -EBADMSG;
        }
        if (r < 0)
                return r;

        return buffer_take_text(&buffer, ret, NULL);
}
