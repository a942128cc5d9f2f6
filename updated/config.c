#include <ctype.h>
#include <systemd/sd-id128.h>

#include "base/base64.h"
#include "base/conf.h"
#include "base/http.h"
#include "base/log.h"
#include "base/text.h"
#include "config.h"

#define GROUP_MAX   128 /* bytes; the longest that Nebraska stores */
#define ALIAS_MAX   256
#define VERSION_MAX 128
#define GUID_LENGTH 36
#define PROXY_MAX   1024
#define UNIT_MAX    255 /* as systemd has it */
#define PIN_PREFIX  "sha256//"
#define PIN_SIZE    32

/* Each setter returns NULL, or what is wrong with the value; a value it refuses changes nothing. */
typedef const char *(*ConfigSet)(void *target, const char *value);

static const char out_of_memory[] = "memory is short";

static const char *set_server(void *target, const char *value)
{
        bool disabled = streq(value, "disabled");

        if (!disabled && !http_url_is_valid(value))
                return "SERVER must be an http:// or https:// URL, or \"disabled\"";
        return text_set(target, disabled ? NULL : value) < 0 ? out_of_memory : NULL;
}

/* Printable, because it goes into requests, logs and tables. */
static bool text_is_plain(const char *text, size_t max)
{
        for (const char *p = text; *p; p++)
                if (iscntrl((unsigned char)*p))
                        return false;
        return strlen(text) <= max;
}

static const char *set_group(void *target, const char *value)
{
        if (!*value || !text_is_plain(value, GROUP_MAX))
                return "GROUP must be a name of 1 to 128 bytes";
        return text_set(target, value) < 0 ? out_of_memory : NULL;
}

static const char *set_alias(void *target, const char *value)
{
        if (!text_is_plain(value, ALIAS_MAX))
                return "MACHINE_ALIAS must be printable, of at most 256 bytes";
        return text_set(target, value) < 0 ? out_of_memory : NULL;
}

static const char *set_disk(void *target, const char *value)
{
        if (*value && *value != '/')
                return "DISK must be an absolute path";
        return text_set(target, *value ? value : NULL) < 0 ? out_of_memory : NULL;
}

static const char *set_slot(void *target, const char *value)
{
        const char *uuid = after_prefix(value, "PARTUUID="),
                   *label = after_prefix(value, "PARTLABEL=");

        if (*value && is_empty(uuid) && is_empty(label))
                return "a slot is written as PARTUUID=... or PARTLABEL=...";
        return text_set(target, *value ? value : NULL) < 0 ? out_of_memory : NULL;
}

static const char *set_type(void *target, const char *value)
{
        sd_id128_t id;

        if (*value && (strlen(value) != GUID_LENGTH || sd_id128_from_string(value, &id) < 0))
                return "SLOT_TYPE must be a GUID, as 5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6";
        return text_set(target, *value ? value : NULL) < 0 ? out_of_memory : NULL;
}

static const char *set_chooser(void *target, const char *value)
{
        BootChooserType type = boot_chooser_type_from_string(value);

        if (type < 0)
                return "BOOT_CHOOSER must be \"auto\", \"gpt\", \"systemd-boot\" or "
                       "\"grub\"";
        *(BootChooserType *)target = type;
        return NULL;
}

static const char *set_tries(void *target, const char *value)
{
        uint64_t tries;

        if (text_to_u64(value, SLOT_TRIES_MAX, &tries) < 0 || tries == 0)
                return "BOOT_TRIES must be a number from 1 to 9";
        *(unsigned *)target = (unsigned)tries;
        return NULL;
}

static const char *set_worker_user(void *target, const char *value)
{
        return text_set(target, value) < 0 ? out_of_memory : NULL;
}

static const char *set_downgrade(void *target, const char *value)
{
        bool allow = streq(value, "allow");

        if (!allow && !streq(value, "refuse"))
                return "DOWNGRADE must be \"refuse\" or \"allow\"";
        *(bool *)target = allow;
        return NULL;
}

static const char *set_metered(void *target, const char *value)
{
        bool yes = streq(value, "yes");

        if (!yes && !streq(value, "no"))
                return "METERED must be \"yes\" or \"no\"";
        *(bool *)target = yes;
        return NULL;
}

static const char *set_minimum(void *target, const char *value)
{
        if (!text_is_plain(value, VERSION_MAX))
                return "MINIMUM_VERSION must be printable, of at most 128 bytes";
        return text_set(target, value) < 0 ? out_of_memory : NULL;
}

static const char *set_path(void *target, const char *value)
{
        if (*value && *value != '/')
                return "an absolute path is wanted";
        return text_set(target, *value ? value : NULL) < 0 ? out_of_memory : NULL;
}

static const char *set_directory(void *target, const char *value)
{
        return *value ? set_path(target, value) : "an absolute path is wanted";
}

static const char *set_switch(void *target, const char *value)
{
        return text_to_bool(value, target) < 0 ? "\"yes\" or \"no\" is wanted" : NULL;
}

/* One or several "sha256//" with 32 bytes in base64, with ';' between them. */
static bool pins_are_valid(const char *value)
{
        _cleanup_(text_list_done) TextList pins = {};

        if (text_list_split(&pins, value, ";") < 0)
                return false;
        for (size_t i = 0; i < pins.n_items; i++) {
                const char *digest = after_prefix(pins.items[i], PIN_PREFIX);
                _cleanup_free_ char *bytes = NULL;
                size_t size = 0;

                if (!digest || base64_decode(digest, &bytes, &size) < 0 || size != PIN_SIZE)
                        return false;
        }
        return pins.n_items > 0;
}

static const char *set_pins(void *target, const char *value)
{
        if (*value && !pins_are_valid(value))
                return "PINNED_PUBLIC_KEY must be sha256// and the base64 of 32 bytes";
        return text_set(target, *value ? value : NULL) < 0 ? out_of_memory : NULL;
}

/* Also an empty value says something: no proxy, whatever the environment says. */
static const char *set_proxy(void *target, const char *value)
{
        if (!text_is_plain(value, PROXY_MAX) || strpbrk(value, " \t"))
                return "a proxy is written as http://HOST:PORT, socks5h://HOST:PORT or HOST:PORT";
        return text_set(target, value) < 0 ? out_of_memory : NULL;
}

static const char *set_text(void *target, const char *value)
{
        if (!text_is_plain(value, PROXY_MAX))
                return "printable text of at most 1024 bytes is wanted";
        return text_set(target, *value ? value : NULL) < 0 ? out_of_memory : NULL;
}

static const char *set_rate(void *target, const char *value)
{
        return text_to_u64(value, INT64_MAX, target) < 0 ? "a number of bytes a second is wanted"
                                                         : NULL;
}

static const char *set_first_check(void *target, const char *value)
{
        bool classic = streq(value, "classic");

        if (!classic && !streq(value, "spread"))
                return "FIRST_CHECK must be \"spread\" or \"classic\"";
        *(usec_t *)target = classic ? CONFIG_FIRST_CLASSIC : 0;
        return NULL;
}

static const char *set_time(void *target, const char *value)
{
        if (config_time_parse(value, target) < 0)
                return "a time is wanted, as 90, 90s, 45min or 2h, of at most 30 days";
        return NULL;
}

/* A name of systemd (systemd.unit(5)); it goes into log and status. */
static const char *set_health_target(void *target, const char *value)
{
        const char *letters =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@";

        if (strlen(value) > UNIT_MAX || value[strspn(value, letters)]
            || (*value && !strchr(value, '.')))
                return "HEALTH_TARGET must be a unit of systemd, as boot-complete.target, or empty";
        return text_set(target, *value ? value : NULL) < 0 ? out_of_memory : NULL;
}

static const char *set_health_failure(void *target, const char *value)
{
        HealthFailure failure = health_failure_from_string(value);

        if (failure < 0)
                return "HEALTH_FAILURE must be \"wait\" or \"reboot\"";
        *(HealthFailure *)target = failure;
        return NULL;
}

/* Belongs to another reader of the same files: known, and none of our business. */
static const char *set_nothing(_unused_ void *target, _unused_ const char *value)
{
        return NULL;
}

/* Every key has its paragraph in update.conf(5). */
static const struct {
        const char *key;
        ConfigSet set;
        size_t offset;
} config_keys[] = {
        { "SERVER", set_server, offsetof(Config, server) },
        { "GROUP", set_group, offsetof(Config, group) },
        { "MACHINE_ALIAS", set_alias, offsetof(Config, machine_alias) },
        { "DISK", set_disk, offsetof(Config, slots.disk) },
        { "SLOT_A", set_slot, offsetof(Config, slots.slots[0]) },
        { "SLOT_B", set_slot, offsetof(Config, slots.slots[1]) },
        { "SLOT_TYPE", set_type, offsetof(Config, slots.type) },
        { "BOOT_CHOOSER", set_chooser, offsetof(Config, slots.chooser) },
        { "BOOT_DIRECTORY", set_path, offsetof(Config, slots.boot_directory) },
        { "BOOT_TRIES", set_tries, offsetof(Config, slots.tries) },
        { "WORKER_USER", set_worker_user, offsetof(Config, worker_user) },
        { "CA_FILE", set_path, offsetof(Config, transport.ca_file) },
        { "CA_DIRECTORY", set_path, offsetof(Config, transport.ca_directory) },
        { "CLIENT_CERTIFICATE", set_path, offsetof(Config, transport.certificate_file) },
        { "CLIENT_KEY", set_path, offsetof(Config, transport.key_file) },
        { "PINNED_PUBLIC_KEY", set_pins, offsetof(Config, transport.pinned_key) },
        { "PROXY", set_proxy, offsetof(Config, transport.proxy) },
        { "NO_PROXY", set_text, offsetof(Config, transport.no_proxy) },
        { "DOWNLOAD_RATE_MAX", set_rate, offsetof(Config, transport.rate_max) },
        { "DOWNLOAD_RATE_MIN", set_rate, offsetof(Config, transport.rate_min) },
        { "DOWNLOAD_STALL", set_time, offsetof(Config, transport.stall) },
        { "CONNECT_TIMEOUT", set_time, offsetof(Config, transport.connect_timeout) },
        { "METERED", set_metered, offsetof(Config, metered) },
        { "DOWNLOAD_USER", set_text, offsetof(Config, transport.user) },
        { "DOWNLOAD_PASSWORD", set_text, offsetof(Config, transport.password) },
        { "DOWNGRADE", set_downgrade, offsetof(Config, downgrade) },
        { "MINIMUM_VERSION", set_minimum, offsetof(Config, minimum_version) },
        { "METRICS_FILE", set_path, offsetof(Config, metrics_file) },
        { "SYSEXT_DIRECTORY", set_directory, offsetof(Config, sysext_directory) },
        { "OEM_SYSEXT_DIRECTORY", set_path, offsetof(Config, oem_sysext_directory) },
        { "POSTINST", set_switch, offsetof(Config, postinst) },
        { "POSTINST_TIMEOUT", set_time, offsetof(Config, postinst_time) },
        { "FIRST_CHECK", set_first_check, offsetof(Config, check_first) },
        { "CHECK_FIRST", set_time, offsetof(Config, check_first) },
        { "CHECK_INTERVAL", set_time, offsetof(Config, check_interval) },
        { "HEALTH_TARGET", set_health_target, offsetof(Config, health_target) },
        { "HEALTH_TIMEOUT", set_time, offsetof(Config, health_timeout) },
        { "HEALTH_FAILURE", set_health_failure, offsetof(Config, health_failure) },
        { "REBOOT_", set_nothing, 0 }, /* locksmithd's, all that begin so */
        { "LOCKSMITHD_", set_nothing, 0 },
};

static_assert(ELEMENTSOF(config_keys) == CONFIG_KEYS, "one origin for each key");

int config_time_parse(const char *text, usec_t *ret)
{
        static const struct {
                const char *unit;
                usec_t usec;
        } units[] = {
                { "", USEC_PER_SEC },       { "s", USEC_PER_SEC },    { "sec", USEC_PER_SEC },
                { "min", USEC_PER_MINUTE }, { "m", USEC_PER_MINUTE }, { "h", USEC_PER_HOUR },
                { "d", USEC_PER_DAY },
        };
        size_t n = strspn(text, "0123456789");
        _cleanup_free_ char *digits = strndup(text, n);
        uint64_t number;
        int r;

        if (!digits)
                return -ENOMEM;
        r = text_to_u64(digits, CONFIG_TIME_MAX, &number);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(units); i++) {
                usec_t usec;

                if (!streq(text + n, units[i].unit))
                        continue;
                if (!mul_u64(number, units[i].usec, &usec) || usec > CONFIG_TIME_MAX || usec == 0)
                        return -ERANGE;
                *ret = usec;
                return 0;
        }

        return -EINVAL;
}

void config_done(Config *config)
{
        free(config->server);
        free(config->group);
        free(config->machine_alias);
        slot_settings_done(&config->slots);
        free(config->worker_user);
        free(config->minimum_version);
        free(config->metrics_file);
        free(config->health_target);
        free(config->sysext_directory);
        free(config->oem_sysext_directory);
        transport_done(&config->transport);
        for (size_t i = 0; i < CONFIG_KEYS; i++)
                free(config->origins[i]);
        *config = (Config) {};
}

static int config_init(Config *config)
{
        *config = (Config) {
                .server = strdup(CONF_SERVER_DEFAULT),
                .group = strdup(CONF_GROUP_DEFAULT),
                .machine_alias = strdup(""),
                .worker_user = strdup(CONFIG_WORKER_DEFAULT),
                .minimum_version = strdup(""),
                .sysext_directory = strdup(CONFIG_SYSEXT_DEFAULT),
                .postinst = true,
                .postinst_time = CONFIG_POSTINST_DEFAULT,
                .check_interval = CONFIG_INTERVAL_DEFAULT,
                .health_target = strdup(CONFIG_HEALTH_TARGET),
                .health_timeout = CONFIG_HEALTH_TIMEOUT,
                .slots = { .tries = CONFIG_TRIES_DEFAULT },
                .transport = { .rate_min = CONFIG_RATE_MIN_DEFAULT },
        };

        return config->server && config->group && config->machine_alias && config->worker_user
                               && config->minimum_version && config->health_target
                               && config->sysext_directory
                       ? 0
                       : -ENOMEM;
}

static void config_unknown(const char *path, const EnvEntry *entry)
{
        const char *names[ELEMENTSOF(config_keys)];
        const char *nearest;

        for (size_t i = 0; i < ELEMENTSOF(config_keys); i++)
                names[i] = config_keys[i].key;
        nearest = text_nearest(entry->key, names, ELEMENTSOF(config_keys));
        if (nearest)
                log_warning("%s:%u: there is no setting %s, did you mean %s? It is ignored", path,
                            entry->line, entry->key, nearest);
        else
                log_warning("%s:%u: there is no setting %s; it is ignored", path, entry->line,
                            entry->key);
}

static bool key_matches(const char *key, const char *name)
{
        size_t n = strlen(key);

        return key[n - 1] == '_' ? strncmp(key, name, n) == 0 : streq(key, name);
}

/* Remembers where a value is from. */
static int config_note_origin(Config *config, size_t i, const char *path, const EnvEntry *entry)
{
        const ConfValue value = { entry->value, entry->key, path, entry->line };

        text_clear(&config->origins[i]);
        return conf_origin(&value, &config->origins[i]);
}

static int config_take(Config *config, const char *path, const EnvEntry *entry)
{
        for (size_t i = 0; i < CONFIG_KEYS; i++) {
                const char *why;

                if (!key_matches(config_keys[i].key, entry->key))
                        continue;
                why = config_keys[i].set((char *)config + config_keys[i].offset, entry->value);
                if (why) /* without the value, which may be a password */
                        log_warning("%s:%u: the value of %s is not used: %s", path, entry->line,
                                    entry->key, why);
                return why ? 0 : config_note_origin(config, i, path, entry);
        }

        config_unknown(path, entry);
        return 0;
}

static int config_read_file(const char *root, size_t i, Conf *conf, Config *config)
{
        const EnvFile *file = &conf->files[i];
        int r;

        r = conf_read_file(root, i, env_file_log, NULL, conf);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                (void)log_warning_errno(r, "%s can not be read, it is ignored: %m", conf_paths[i]);

        r = 0;
        for (size_t k = 0; k < file->n_entries && r >= 0; k++)
                r = config_take(config, conf_paths[i], &file->entries[k]);
        return r;
}

int config_read(const char *root, Config *ret)
{
        _cleanup_(config_done) Config config = {};
        _cleanup_(conf_done) Conf conf = {};
        int r;

        r = config_init(&config);
        for (size_t i = CONF_FILES; i > 0 && r >= 0; i--)
                r = config_read_file(root, i - 1, &conf, &config);
        if (r < 0)
                return r;

        r = transport_load(&config.transport, root);
        if (r < 0)
                return r;

        *ret = config;
        config = (Config) {};
        return 0;
}

const char *config_origin(const Config *config, const char *key)
{
        for (size_t i = 0; i < CONFIG_KEYS; i++)
                if (streq(config_keys[i].key, key) && config->origins[i])
                        return config->origins[i];

        return "default";
}

bool config_server_is_private(const Config *config)
{
        return !streq_null(config->server, CONF_SERVER_DEFAULT);
}
