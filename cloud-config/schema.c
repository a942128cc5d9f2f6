#include "cloud-config/schema.h"
#include "base/conf.h"
#include "cloud-config/check.h"

const Key keys[_KEY_MAX] = {
        [KEY_GROUP] = { STANZA_UPDATE, "group", OUTPUT_UPDATE_CONF, "GROUP",
                        .fallback = CONF_GROUP_DEFAULT, .check = check_group },
        [KEY_REBOOT_STRATEGY] = { STANZA_UPDATE, "reboot-strategy", OUTPUT_UPDATE_CONF,
                                  "REBOOT_STRATEGY", .fallback = CONF_STRATEGY_DEFAULT,
                                  .check = check_strategy },
        [KEY_SERVER] = { STANZA_UPDATE, "server", OUTPUT_UPDATE_CONF, "SERVER",
                         .fallback = CONF_SERVER_DEFAULT, .check = check_server },

        [KEY_ENDPOINT] = { STANZA_LOCKSMITH, "endpoint", OUTPUT_DROP_IN, "LOCKSMITHD_ENDPOINT",
                           .fallback = CONF_ENDPOINT_DEFAULT, .check = check_endpoints },
        [KEY_ETCD_CAFILE] = { STANZA_LOCKSMITH, "etcd-cafile", OUTPUT_DROP_IN,
                              "LOCKSMITHD_ETCD_CAFILE", .check = check_path },
        [KEY_ETCD_CERTFILE] = { STANZA_LOCKSMITH, "etcd-certfile", OUTPUT_DROP_IN,
                                "LOCKSMITHD_ETCD_CERTFILE", .check = check_path },
        [KEY_ETCD_KEYFILE] = { STANZA_LOCKSMITH, "etcd-keyfile", OUTPUT_DROP_IN,
                               "LOCKSMITHD_ETCD_KEYFILE", .check = check_path },
        [KEY_ETCD_USERNAME] = { STANZA_LOCKSMITH, "etcd-username", OUTPUT_DROP_IN,
                                "LOCKSMITHD_ETCD_USERNAME", .check = check_username },
        [KEY_ETCD_PASSWORD] = { STANZA_LOCKSMITH, "etcd-password", OUTPUT_DROP_IN,
                                "LOCKSMITHD_ETCD_PASSWORD", .secret = true,
                                .check = check_nothing },
        [KEY_LOCKSMITH_GROUP] = { STANZA_LOCKSMITH, "group", OUTPUT_DROP_IN, "LOCKSMITHD_GROUP",
                                  .check = check_lock_group },
        [KEY_WINDOW_START] = { STANZA_LOCKSMITH, "window-start", OUTPUT_DROP_IN,
                               "REBOOT_WINDOW_START", "LOCKSMITHD_REBOOT_WINDOW_START",
                               .check = check_window_start },
        [KEY_WINDOW_LENGTH] = { STANZA_LOCKSMITH, "window-length", OUTPUT_DROP_IN,
                                "REBOOT_WINDOW_LENGTH", "LOCKSMITHD_REBOOT_WINDOW_LENGTH",
                                .check = check_window_length },

        [KEY_ETCD_ADDR] = { STANZA_ETCD, "addr", OUTPUT_NONE, .check = check_etcd_address },
        [KEY_ADVERTISE_CLIENT_URLS] = { STANZA_ETCD2, "advertise-client-urls", OUTPUT_NONE,
                                        .check = check_endpoints },
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
