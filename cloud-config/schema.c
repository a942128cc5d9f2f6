#include "cloud-config/schema.h"
#include "cloud-config/check.h"

const Key keys[_KEY_MAX] = {
        [KEY_GROUP] = { STANZA_UPDATE, "group", "GROUP", OUTPUT_UPDATE_CONF, false, check_group },
        [KEY_REBOOT_STRATEGY] = { STANZA_UPDATE, "reboot-strategy", "REBOOT_STRATEGY",
                                  OUTPUT_UPDATE_CONF, false, check_strategy },
        [KEY_SERVER] = { STANZA_UPDATE, "server", "SERVER", OUTPUT_UPDATE_CONF, false,
                         check_server },

        [KEY_ENDPOINT] = { STANZA_LOCKSMITH, "endpoint", "LOCKSMITHD_ENDPOINT", OUTPUT_DROP_IN,
                           false, check_endpoints },
        [KEY_ETCD_CAFILE] = { STANZA_LOCKSMITH, "etcd-cafile", "LOCKSMITHD_ETCD_CAFILE",
                              OUTPUT_DROP_IN, false, check_path },
        [KEY_ETCD_CERTFILE] = { STANZA_LOCKSMITH, "etcd-certfile", "LOCKSMITHD_ETCD_CERTFILE",
                                OUTPUT_DROP_IN, false, check_path },
        [KEY_ETCD_KEYFILE] = { STANZA_LOCKSMITH, "etcd-keyfile", "LOCKSMITHD_ETCD_KEYFILE",
                               OUTPUT_DROP_IN, false, check_path },
        [KEY_ETCD_USERNAME] = { STANZA_LOCKSMITH, "etcd-username", "LOCKSMITHD_ETCD_USERNAME",
                                OUTPUT_DROP_IN, false, check_username },
        [KEY_ETCD_PASSWORD] = { STANZA_LOCKSMITH, "etcd-password", "LOCKSMITHD_ETCD_PASSWORD",
                                OUTPUT_DROP_IN, true, check_nothing },
        [KEY_LOCKSMITH_GROUP] = { STANZA_LOCKSMITH, "group", "LOCKSMITHD_GROUP", OUTPUT_DROP_IN,
                                  false, check_lock_group },
        [KEY_WINDOW_START] = { STANZA_LOCKSMITH, "window-start", "REBOOT_WINDOW_START",
                               OUTPUT_DROP_IN, false, check_window_start },
        [KEY_WINDOW_LENGTH] = { STANZA_LOCKSMITH, "window-length", "REBOOT_WINDOW_LENGTH",
                                OUTPUT_DROP_IN, false, check_window_length },

        [KEY_ETCD_ADDR] = { STANZA_ETCD, "addr", NULL, OUTPUT_NONE, false, check_etcd_address },
        [KEY_ADVERTISE_CLIENT_URLS] = { STANZA_ETCD2, "advertise-client-urls", NULL, OUTPUT_NONE,
                                        false, check_endpoints },
};

const char *stanza_to_string(Stanza stanza)
{
        static const char *const names[_STANZA_MAX] = {
                [STANZA_UPDATE] = "update",
                [STANZA_LOCKSMITH] = "locksmith",
                [STANZA_ETCD] = "etcd",
                [STANZA_ETCD2] = "etcd2",
        };

        return names[stanza];
}

bool node_is_boolean(const Node *node)
{
        return node->tag && streq(node->tag, "tag:yaml.org,2002:bool");
}

bool key_is(const Node *node, const char *name)
{
        if (node->type != NODE_SCALAR || node->size != strlen(name))
                return false;
        for (size_t i = 0; i < node->size; i++)
                if ((node->text[i] == '_' ? '-' : node->text[i]) != name[i])
                        return false;
        return true;
}
