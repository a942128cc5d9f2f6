#include <stdio.h>

#include "base/env-file.h"
#include "base/io.h"
#include "lock-key.h"
#include "settings.h"

#define ZONES "/usr/share/zoneinfo"

static const char *const default_endpoints[] = { "http://127.0.0.1:2379", "http://127.0.0.1:4001" };

/* Of a setting: what follows LOCKSMITHD_ (or LOCKSMITHCTL_) in its name, and the name without any
 * prefix. */
static const struct {
        const char *suffix, *plain;
        size_t offset;
        bool is_path;
} setting_table[] = {
        { "GROUP", NULL, offsetof(Settings, group), false },
        { "ENDPOINT", NULL, offsetof(Settings, endpoint), false },
        { "ETCD_CAFILE", NULL, offsetof(Settings, ca_file), true },
        { "ETCD_CERTFILE", NULL, offsetof(Settings, certificate_file), true },
        { "ETCD_KEYFILE", NULL, offsetof(Settings, key_file), true },
        { "ETCD_USERNAME", NULL, offsetof(Settings, user), false },
        { "ETCD_PASSWORD", NULL, offsetof(Settings, password), false },
        { "REBOOT_WINDOW_START", "REBOOT_WINDOW_START", offsetof(Settings, window_start), false },
        { "REBOOT_WINDOW_LENGTH", "REBOOT_WINDOW_LENGTH", offsetof(Settings, window_length),
          false },
        { "REBOOT_WINDOWS", "REBOOT_WINDOWS", offsetof(Settings, windows_text), false },
        { "REBOOT_BLACKOUT", "REBOOT_BLACKOUT", offsetof(Settings, blackout_text), false },
        { "REBOOT_TIME_ZONE", "REBOOT_TIME_ZONE", offsetof(Settings, time_zone), false },
        { "LOGIN_GRACE", "REBOOT_LOGIN_GRACE", offsetof(Settings, login_grace_text), false },
        { "RETURN_TIME", "REBOOT_RETURN_TIME", offsetof(Settings, return_time_text), false },
        { "HOOK_TIME", "REBOOT_HOOK_TIME", offsetof(Settings, hook_time_text), false },
        { NULL, "REBOOT_STRATEGY", offsetof(Settings, strategy_text), false },
};

static char **setting_field(Settings *settings, size_t i)
{
        void *field = (char *)settings + setting_table[i].offset;

        return field;
}

/* From the strongest to the weakest. */
static const char *const update_conf[] = {
        "/etc/coreos/update.conf",
        "/etc/flatcar/update.conf",
        "/usr/share/coreos/update.conf",
        "/usr/share/flatcar/update.conf",
};

typedef struct Sources {
        EnvFile drop_in;
        EnvFile files[ELEMENTSOF(update_conf)];
} Sources;

static void sources_done(Sources *sources)
{
        env_file_done(&sources->drop_in);
        for (size_t i = 0; i < ELEMENTSOF(sources->files); i++)
                env_file_done(&sources->files[i]);
}

static int sources_read(const char *root, Sources *sources)
{
        int r;

        /* systemd's own syntax: only its Environment= lines are looked for, so no warnings about
         * the rest. */
        r = env_file_read(root, SETTINGS_DROP_IN, NULL, NULL, &sources->drop_in);
        if (r < 0 && r != -ENOENT)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(update_conf); i++) {
                r = env_file_read(root, update_conf[i], env_file_log, NULL, &sources->files[i]);
                if (r < 0 && r != -ENOENT)
                        return r;
        }

        return 0;
}

/* The value of the last line Environment="name=value". */
static const char *drop_in_get(const EnvFile *drop_in, const char *name)
{
        const char *found = NULL;

        for (size_t i = 0; i < drop_in->n_entries; i++) {
                const char *rest = NULL;

                if (streq(drop_in->entries[i].key, "Environment"))
                        rest = after_prefix(drop_in->entries[i].value, name);
                if (rest && *rest == '=')
                        found = rest + 1;
        }

        return found;
}

static const char *sources_get(const Sources *sources, const char *name)
{
        const char *value = getenv(name);

        if (is_empty(value))
                value = drop_in_get(&sources->drop_in, name);
        for (size_t i = 0; i < ELEMENTSOF(update_conf) && is_empty(value); i++)
                value = env_file_get(&sources->files[i], name);

        return is_empty(value) ? NULL : value;
}

/* NULL when no source has it. */
static const char *setting_find(const Sources *sources, size_t i, bool ctl)
{
        _cleanup_free_ char *name = NULL;
        const char *value = NULL;

        if (setting_table[i].suffix && ctl) {
                if (asprintf(&name, "LOCKSMITHCTL_%s", setting_table[i].suffix) < 0)
                        return name = NULL;
                value = getenv(name);
                free(TAKE_PTR(name));
        }
        if (setting_table[i].suffix && is_empty(value)) {
                if (asprintf(&name, "LOCKSMITHD_%s", setting_table[i].suffix) < 0)
                        return name = NULL;
                value = sources_get(sources, name);
        }
        if (setting_table[i].plain && is_empty(value))
                value = sources_get(sources, setting_table[i].plain);

        return is_empty(value) ? NULL : value;
}

static int settings_collect(Settings *settings, bool ctl)
{
        _cleanup_(sources_done) Sources sources = {};
        int r;

        r = sources_read(settings->root, &sources);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(setting_table); i++) {
                char **field = setting_field(settings, i);
                const char *value = *field ? NULL : setting_find(&sources, i, ctl);

                if (value && setting_table[i].is_path)
                        r = root_join(settings->root, value, field);
                else if (value)
                        r = text_set(field, value);
                if (r < 0)
                        return r;
        }

        return settings->group ? 0 : text_set(&settings->group, "");
}

/* Blanks around it do not matter, nor does a slash at its end; without a scheme it is http. */
static int endpoint_add(TextList *list, const char *text)
{
        _cleanup_free_ char *url = NULL;
        size_t n;

        if (asprintf(&url, "%s%s", strstr(text, "://") ? "" : "http://", text) < 0) {
                url = NULL;
                return -ENOMEM;
        }
        for (n = strlen(url); n > 0 && url[n - 1] == '/'; n--)
                url[n - 1] = 0;
        if (!http_url_is_valid(url) || strpbrk(url, "?#"))
                return -EINVAL;

        return text_list_add(list, url);
}

static int settings_check_endpoints(Settings *settings, char **ret_why)
{
        TextList *list = &settings->etcd.endpoints;
        _cleanup_(text_list_done) TextList texts = {};
        int r;

        r = text_list_split(&texts, settings->endpoint ? settings->endpoint : "", ", \t");
        for (size_t i = 0; i < ELEMENTSOF(default_endpoints) && r >= 0 && !settings->endpoint; i++)
                r = text_list_add(&texts, default_endpoints[i]);
        if (r < 0)
                return r;
        if (texts.n_items == 0 || texts.n_items > ETCD_ENDPOINTS_MAX)
                return asprintf(ret_why, "etcd endpoints: \"%s\" names %zu, wanted are 1 to %d",
                                settings->endpoint, texts.n_items, ETCD_ENDPOINTS_MAX)
                                       < 0
                               ? -ENOMEM
                               : -EINVAL;

        for (size_t i = 0; i < texts.n_items; i++) {
                r = endpoint_add(list, texts.items[i]);
                if (r == -EINVAL
                    && asprintf(ret_why, "etcd endpoint \"%s\": not an http or https URL",
                                texts.items[i])
                               < 0)
                        r = -ENOMEM;
                if (r < 0)
                        return r;
        }

        settings->etcd.ca_file = settings->ca_file;
        settings->etcd.certificate_file = settings->certificate_file;
        settings->etcd.key_file = settings->key_file;
        settings->etcd.user = settings->user;
        settings->etcd.password = settings->password;
        return 0;
}

static int settings_check_lock(Settings *settings, char **ret_why)
{
        _cleanup_free_ char *key = NULL;
        const char *why = NULL;
        int r;

        if (!settings->certificate_file != !settings->key_file)
                why = "an etcd client certificate and its key go together: one of the two is missing";
        r = lock_key_semaphore(settings->group, &key);
        if (r == -EINVAL)
                why = "group: \".\" and \"..\" can not be names of groups";
        else if (r == -ENAMETOOLONG)
                why = "group: the name is too long";
        else if (r < 0)
                return r;
        if (!why)
                return 0;

        *ret_why = strdup(why);
        return *ret_why ? -EINVAL : -ENOMEM;
}

static int settings_check_strategy(Settings *settings, char **ret_why)
{
        const char *text = settings->strategy_text;
        int r;

        settings->strategy = text ? strategy_from_string(text) : STRATEGY_REBOOT;
        if (settings->strategy >= 0)
                return 0;

        r = asprintf(ret_why, "REBOOT_STRATEGY: unknown strategy \"%s\", there are " STRATEGY_NAMES,
                     text);
        return r < 0 ? -ENOMEM : -EINVAL;
}

static int settings_check_window(Settings *settings, char **ret_why)
{
        const char *why;
        int r;

        r = window_parse(settings->window_start, settings->window_length, &settings->window, &why);
        settings->has_window = r > 0;
        if (r >= 0)
                return 0;

        r = asprintf(ret_why, "reboot window: start \"%s\", length \"%s\": %s",
                     settings->window_start ? settings->window_start : "",
                     settings->window_length ? settings->window_length : "", why);
        return r < 0 ? -ENOMEM : -EINVAL;
}

/* libc takes a zone that it does not know for UTC without a word, so this looks for it first. */
static int settings_check_zone(const Settings *settings, char **ret_why)
{
        const char *zone = settings->time_zone;
        _cleanup_free_ char *path = NULL;

        if (!zone)
                return 0;
        if (asprintf(&path, ZONES "/%s", zone) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (*zone == '/' || strstr(zone, "..") || access(path, R_OK) < 0)
                return asprintf(ret_why, "REBOOT_TIME_ZONE \"%s\": there is none in " ZONES, zone)
                                       < 0
                               ? -ENOMEM
                               : -EINVAL;

        return RET_ERRNO(setenv("TZ", zone, 1));
}

static int settings_check_windows(Settings *settings, char **ret_why)
{
        const char *blackout = settings->blackout_text, *text = settings->windows_text;
        Windows *windows = &settings->windows;
        const char *why = NULL;
        int r = 0;

        if (settings->has_window)
                windows->windows[windows->n_windows++] = settings->window;
        if (text)
                r = windows_parse(text, windows, &why);
        if (r == -EINVAL)
                return asprintf(ret_why, "REBOOT_WINDOWS \"%s\": %s", text, why) < 0 ? -ENOMEM : r;
        if (r >= 0 && blackout)
                r = blackouts_parse(blackout, windows, &why);
        if (r == -EINVAL)
                return asprintf(ret_why, "REBOOT_BLACKOUT \"%s\": %s", blackout, why) < 0 ? -ENOMEM
                                                                                          : r;
        return r;
}

/* NULL leaves the default. */
static int span_check(const char *name, const char *text, usec_t max, usec_t *span, char **ret_why)
{
        const char *why = NULL;
        usec_t value;

        if (!text)
                return 0;
        if (window_parse_length(text, &value, &why) >= 0 && value > max)
                why = "it is more than a day";
        if (!why) {
                *span = value;
                return 0;
        }

        return asprintf(ret_why, "%s \"%s\": %s", name, text, why) < 0 ? -ENOMEM : -EINVAL;
}

static int settings_check_spans(Settings *settings, char **ret_why)
{
        int r;

        settings->login_grace = SETTINGS_LOGIN_GRACE;
        settings->return_time = SETTINGS_RETURN_TIME;
        settings->hook_time = SETTINGS_HOOK_TIME;
        r = span_check("REBOOT_LOGIN_GRACE", settings->login_grace_text, SETTINGS_LOGIN_GRACE_MAX,
                       &settings->login_grace, ret_why);
        if (r >= 0)
                r = span_check("REBOOT_RETURN_TIME", settings->return_time_text,
                               SETTINGS_HOOK_TIME_MAX, &settings->return_time, ret_why);
        if (r >= 0)
                r = span_check("REBOOT_HOOK_TIME", settings->hook_time_text, SETTINGS_HOOK_TIME_MAX,
                               &settings->hook_time, ret_why);
        return r;
}

int settings_read(Settings *settings, bool ctl, char **ret_why)
{
        int r;

        r = settings_collect(settings, ctl);
        if (r >= 0)
                r = settings_check_endpoints(settings, ret_why);
        if (r >= 0)
                r = settings_check_lock(settings, ret_why);
        if (r >= 0)
                r = settings_check_strategy(settings, ret_why);
        if (r >= 0)
                r = settings_check_zone(settings, ret_why);
        if (r >= 0)
                r = settings_check_window(settings, ret_why);
        if (r >= 0)
                r = settings_check_windows(settings, ret_why);
        if (r >= 0)
                r = settings_check_spans(settings, ret_why);
        return r;
}

int settings_machine_id(const Settings *settings, char **ret)
{
        _cleanup_free_ char *id = NULL;
        int r;

        r = file_read_line(settings->root, "/etc/machine-id", &id);
        if (r < 0)
                return r;

        if (!*id || strlen(id) > LOCK_NAME_MAX)
                return -EBADMSG;
        for (const char *p = id; *p; p++)
                if (*p <= ' ' || *p > '~')
                        return -EBADMSG;

        *ret = TAKE_PTR(id);
        return 0;
}

void settings_done(Settings *settings)
{
        free(settings->root);
        for (size_t i = 0; i < ELEMENTSOF(setting_table); i++)
                free(*setting_field(settings, i));
        text_list_done(&settings->etcd.endpoints);
        *settings = (Settings) {};
}
