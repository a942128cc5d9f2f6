#include <stdio.h>

#include "api-choice.h"
#include "base/conf.h"
#include "base/io.h"
#include "base/text.h"
#include "fleetlock-wire.h"
#include "host-id.h"
#include "lock-key.h"
#include "policy.h"
#include "settings.h"

#define ZONES "/usr/share/zoneinfo"

static const struct {
        const char *ctl;      /* of the tool, in the environment only; NULL: none */
        const char *names[3]; /* from strong to weak, ended by NULL */
        size_t offset;
        bool is_path;
} setting_table[SETTINGS_MAX] = {
        { "LOCKSMITHCTL_GROUP", { "LOCKSMITHD_GROUP" }, offsetof(Settings, group), false },
        { "LOCKSMITHCTL_ENDPOINT", { "LOCKSMITHD_ENDPOINT" }, offsetof(Settings, endpoint), false },
        { "LOCKSMITHCTL_ETCD_CAFILE",
          { "LOCKSMITHD_ETCD_CAFILE" },
          offsetof(Settings, ca_file),
          true },
        { "LOCKSMITHCTL_ETCD_CERTFILE",
          { "LOCKSMITHD_ETCD_CERTFILE" },
          offsetof(Settings, certificate_file),
          true },
        { "LOCKSMITHCTL_ETCD_KEYFILE",
          { "LOCKSMITHD_ETCD_KEYFILE" },
          offsetof(Settings, key_file),
          true },
        { "LOCKSMITHCTL_ETCD_USERNAME",
          { "LOCKSMITHD_ETCD_USERNAME" },
          offsetof(Settings, user),
          false },
        { "LOCKSMITHCTL_ETCD_PASSWORD",
          { "LOCKSMITHD_ETCD_PASSWORD" },
          offsetof(Settings, password),
          false },
        { "LOCKSMITHCTL_ETCD_API",
          { "LOCKSMITHD_ETCD_API", "ETCD_API" },
          offsetof(Settings, api_text),
          false },
        { "LOCKSMITHCTL_LOCK_BACKEND",
          { "LOCKSMITHD_LOCK_BACKEND", "LOCK_BACKEND" },
          offsetof(Settings, backend_text),
          false },
        { "LOCKSMITHCTL_FLEETLOCK_URL",
          { "LOCKSMITHD_FLEETLOCK_URL", "FLEETLOCK_URL" },
          offsetof(Settings, fleetlock_url),
          false },
        { "LOCKSMITHCTL_REBOOT_WINDOW_START",
          { "LOCKSMITHD_REBOOT_WINDOW_START", "REBOOT_WINDOW_START" },
          offsetof(Settings, window_start),
          false },
        { "LOCKSMITHCTL_REBOOT_WINDOW_LENGTH",
          { "LOCKSMITHD_REBOOT_WINDOW_LENGTH", "REBOOT_WINDOW_LENGTH" },
          offsetof(Settings, window_length),
          false },
        { NULL,
          { "LOCKSMITHD_REBOOT_WINDOWS", "REBOOT_WINDOWS" },
          offsetof(Settings, windows_text),
          false },
        { NULL,
          { "LOCKSMITHD_REBOOT_BLACKOUT", "REBOOT_BLACKOUT" },
          offsetof(Settings, blackout_text),
          false },
        { NULL,
          { "LOCKSMITHD_REBOOT_TIME_ZONE", "REBOOT_TIME_ZONE" },
          offsetof(Settings, time_zone),
          false },
        { NULL,
          { "LOCKSMITHD_RETURN_TIME", "REBOOT_RETURN_TIME" },
          offsetof(Settings, return_time_text),
          false },
        { NULL,
          { "LOCKSMITHD_SETTLE_TIME", "REBOOT_SETTLE_TIME" },
          offsetof(Settings, settle_time_text),
          false },
        { NULL,
          { "LOCKSMITHD_FREE_GONE", "REBOOT_FREE_GONE" },
          offsetof(Settings, free_gone_text),
          false },
        { NULL,
          { "LOCKSMITHD_FAILURE_BUDGET", "REBOOT_FAILURE_BUDGET" },
          offsetof(Settings, failure_budget_text),
          false },
        { NULL,
          { "LOCKSMITHD_LOGIN_GRACE", "REBOOT_LOGIN_GRACE" },
          offsetof(Settings, login_grace_text),
          false },
        { NULL,
          { "LOCKSMITHD_HOOK_TIME", "REBOOT_HOOK_TIME" },
          offsetof(Settings, hook_time_text),
          false },
        { NULL,
          { "LOCKSMITHD_REBOOT_DURATION", "REBOOT_DURATION" },
          offsetof(Settings, duration_text),
          false },
        { NULL,
          { "LOCKSMITHD_METRICS_FILE", "REBOOT_METRICS_FILE" },
          offsetof(Settings, metrics_file),
          true },
        { NULL, { "REBOOT_STRATEGY" }, offsetof(Settings, strategy_text), false },
};

static char **setting_field(Settings *settings, size_t i)
{
        void *field = (char *)settings + setting_table[i].offset;

        return field;
}

static int setting_take(Settings *settings, const Conf *conf, size_t i, bool ctl)
{
        const char *tool = ctl && setting_table[i].ctl ? getenv(setting_table[i].ctl) : NULL;
        char **field = setting_field(settings, i);
        ConfValue value;
        int r;

        if (*field)
                return text_set(&settings->origins[i], "command line");

        value = conf_find(conf, setting_table[i].names);
        if (!is_empty(tool))
                value = (ConfValue) { .text = tool, .name = setting_table[i].ctl };
        r = conf_origin(&value, &settings->origins[i]);
        if (r < 0 || !value.text)
                return r;

        if (setting_table[i].is_path)
                return root_join(settings->root, value.text, field);
        return text_set(field, value.text);
}

static int settings_collect(Settings *settings, bool ctl)
{
        _cleanup_(conf_done) Conf conf = { .environment = true };
        int r;

        r = conf_read(settings->root, env_file_log, NULL, &conf);
        if (r >= 0)
                r = conf_read_drop_in(settings->root, &conf);
        for (size_t i = 0; i < SETTINGS_MAX && r >= 0; i++)
                r = setting_take(settings, &conf, i, ctl);
        if (r < 0)
                return r;

        return settings->group ? 0 : text_set(&settings->group, "");
}

const char *settings_origin(const Settings *settings, const char *name)
{
        for (size_t i = 0; i < SETTINGS_MAX; i++)
                for (const char *const *n = setting_table[i].names; *n; n++)
                        if (streq(*n, name))
                                return settings->origins[i];

        return NULL;
}

/* Blanks around it do not matter, nor does a slash at its end; without a scheme it is http. */
static int endpoint_add(TextList *list, const char *text)
{
        _cleanup_free_ char *url = NULL;
        size_t n;

        if (text_format(&url, "%s%s", strstr(text, "://") ? "" : "http://", text) < 0)
                return -ENOMEM;
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

        r = text_list_split(&texts, settings->endpoint ? settings->endpoint : CONF_ENDPOINT_DEFAULT,
                            ", \t");
        if (r < 0)
                return r;
        if (texts.n_items == 0 || texts.n_items > ETCD_ENDPOINTS_MAX)
                return text_format(ret_why, "etcd endpoints: \"%s\" names %zu, wanted are 1 to %d",
                                   settings->endpoint, texts.n_items, ETCD_ENDPOINTS_MAX)
                                       < 0
                               ? -ENOMEM
                               : -EINVAL;

        for (size_t i = 0; i < texts.n_items; i++) {
                r = endpoint_add(list, texts.items[i]);
                if (r == -EINVAL
                    && text_format(ret_why, "etcd endpoint \"%s\": not an http or https URL",
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

static int settings_check_api(Settings *settings, char **ret_why)
{
        int r;

        settings->etcd.api =
                settings->api_text ? etcd_api_from_string(settings->api_text) : ETCD_API_V3;
        if ((int)settings->etcd.api >= 0)
                return 0;

        r = text_format(ret_why, "ETCD_API: unknown \"%s\", there are v3, v2 and auto",
                        settings->api_text);
        return r < 0 ? r : -EINVAL;
}

static const char *const settings_backend_table[_SETTINGS_BACKEND_MAX] = {
        [SETTINGS_BACKEND_ETCD] = "etcd",
        [SETTINGS_BACKEND_FLEETLOCK] = "fleetlock",
};
DEFINE_STRING_TABLE(settings_backend, SettingsBackend);

/* The paths of the protocol are joined to it, so it ends in a slash. */
static int settings_check_fleetlock(Settings *settings, char **ret_why)
{
        const char *url = settings->fleetlock_url;
        char *whole;
        int r;

        if (!url || !http_url_is_valid(url) || strpbrk(url, "?#")) {
                r = text_format(ret_why,
                                "FLEETLOCK_URL \"%s\": with LOCK_BACKEND=fleetlock it must be the"
                                " http or https URL of the server",
                                url ? url : "");
                return r < 0 ? r : -EINVAL;
        }
        if (!is_empty(settings->group) && !fleetlock_group_is_valid(settings->group)) {
                r = text_format(
                        ret_why,
                        "group \"%s\": FleetLock takes letters, digits, dots and dashes only",
                        settings->group);
                return r < 0 ? r : -EINVAL;
        }
        if (url[strlen(url) - 1] == '/')
                return 0;

        r = text_format(&whole, "%s/", url);
        if (r < 0)
                return r;
        free(settings->fleetlock_url);
        settings->fleetlock_url = whole;
        return 0;
}

static int settings_check_backend(Settings *settings, char **ret_why)
{
        const char *text = settings->backend_text;
        int r;

        settings->backend = text ? settings_backend_from_string(text) : SETTINGS_BACKEND_ETCD;
        if (settings->backend == SETTINGS_BACKEND_FLEETLOCK)
                return settings_check_fleetlock(settings, ret_why);
        if (settings->backend == SETTINGS_BACKEND_ETCD)
                return 0;

        r = text_format(ret_why, "LOCK_BACKEND: unknown \"%s\", there are etcd and fleetlock",
                        text);
        return r < 0 ? r : -EINVAL;
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

        settings->strategy = strategy_from_string(text ? text : CONF_STRATEGY_DEFAULT);
        if (settings->strategy >= 0)
                return 0;

        r = text_format(ret_why,
                        "REBOOT_STRATEGY: unknown strategy \"%s\", there are " STRATEGY_NAMES
                        " (%s)",
                        text, settings_origin(settings, "REBOOT_STRATEGY"));
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

        r = text_format(ret_why, "reboot window: start \"%s\", length \"%s\": %s (%s)",
                        settings->window_start ? settings->window_start : "",
                        settings->window_length ? settings->window_length : "", why,
                        settings_origin(settings, settings->window_start ? "REBOOT_WINDOW_START"
                                                                         : "REBOOT_WINDOW_LENGTH"));
        return r < 0 ? -ENOMEM : -EINVAL;
}

/* libc knows of no root: below one, the zone of that host is named to it. */
static int zone_set_of_root(const Settings *settings)
{
        _cleanup_free_ char *path = NULL, *zone = NULL;
        int r;

        if (!settings->root || getenv("TZ"))
                return 0;
        r = root_join(settings->root, "/etc/localtime", &path);
        if (r < 0 || access(path, R_OK) < 0)
                return r;
        r = text_format(&zone, ":%s", path);
        return r < 0 ? r : RET_ERRNO(setenv("TZ", zone, 1));
}

/* libc takes a zone that it does not know for UTC without a word, so this looks for it first. */
static int settings_check_zone(const Settings *settings, char **ret_why)
{
        const char *zone = settings->time_zone;
        _cleanup_free_ char *path = NULL;

        if (!zone)
                return zone_set_of_root(settings);
        if (text_format(&path, ZONES "/%s", zone) < 0)
                return -ENOMEM;
        if (*zone == '/' || strstr(zone, "..") || access(path, R_OK) < 0)
                return text_format(ret_why, "REBOOT_TIME_ZONE \"%s\": there is none in " ZONES,
                                   zone)
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
                return text_format(ret_why, "REBOOT_WINDOWS \"%s\": %s", text, why) < 0 ? -ENOMEM
                                                                                        : r;
        if (r >= 0 && blackout)
                r = blackouts_parse(blackout, windows, &why);
        if (r == -EINVAL)
                return text_format(ret_why, "REBOOT_BLACKOUT \"%s\": %s", blackout, why) < 0
                               ? -ENOMEM
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
                why = max > USEC_PER_DAY ? "it is more than 30 days" : "it is more than a day";
        if (!why) {
                *span = value;
                return 0;
        }

        return text_format(ret_why, "%s \"%s\": %s", name, text, why) < 0 ? -ENOMEM : -EINVAL;
}

/* A reboot that fits into no window would never come, and nobody would know why. */
static int settings_check_duration(Settings *settings, char **ret_why)
{
        const Windows *windows = &settings->windows;
        usec_t now = now_realtime();
        int r;

        settings->has_duration = settings->duration_text && !streq(settings->duration_text, "auto");
        if (!settings->has_duration)
                return 0;
        r = span_check("REBOOT_DURATION", settings->duration_text, SETTINGS_HOOK_TIME_MAX,
                       &settings->duration, ret_why);
        if (r < 0 || windows_have_room(windows, now, settings->duration)
            || windows_next_room(windows, now, settings->duration) != USEC_INFINITY)
                return r;

        r = text_format(ret_why, "REBOOT_DURATION \"%s\": no reboot window is as long as that",
                        settings->duration_text);
        return r < 0 ? r : -EINVAL;
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
        if (r >= 0)
                r = span_check("REBOOT_SETTLE_TIME", settings->settle_time_text,
                               SETTINGS_HOOK_TIME_MAX, &settings->settle_time, ret_why);
        if (r >= 0)
                r = span_check("REBOOT_FREE_GONE", settings->free_gone_text, SETTINGS_FREE_GONE_MAX,
                               &settings->free_gone, ret_why);
        return r;
}

/* Behind the spans. */
static int settings_check_failures(Settings *settings, char **ret_why)
{
        const char *text = settings->failure_budget_text;
        int r;

        settings->failure_budget = SETTINGS_FAILURE_BUDGET;
        if (text && text_to_u64(text, POLICY_FAILURES_MAX - 1, &settings->failure_budget) < 0) {
                r = text_format(ret_why,
                                "REBOOT_FAILURE_BUDGET \"%s\": it is a number from 0 to %d", text,
                                POLICY_FAILURES_MAX - 1);
                return r < 0 ? r : -EINVAL;
        }
        if (settings->return_time > 0 && settings->settle_time >= settings->return_time) {
                r = text_format(ret_why,
                                "REBOOT_SETTLE_TIME \"%s\": the host would be overdue before it"
                                " gives the lock back: set REBOOT_RETURN_TIME to more",
                                settings->settle_time_text);
                return r < 0 ? r : -EINVAL;
        }
        if (settings->free_gone == 0
            || (settings->return_time > 0 && settings->free_gone >= settings->return_time))
                return 0;

        r = text_format(ret_why,
                        "REBOOT_FREE_GONE \"%s\": a host is not gone before it is overdue: set"
                        " REBOOT_RETURN_TIME to less",
                        settings->free_gone_text);
        return r < 0 ? r : -EINVAL;
}

/* Those that say which lock it is, where, and what its hosts owe each other. */
static int settings_check_which(Settings *settings, char **ret_why)
{
        int r;

        r = settings_check_endpoints(settings, ret_why);
        if (r >= 0)
                r = settings_check_api(settings, ret_why);
        if (r >= 0)
                r = settings_check_lock(settings, ret_why);
        if (r >= 0)
                r = settings_check_backend(settings, ret_why);
        if (r >= 0)
                r = settings_check_spans(settings, ret_why);
        return r < 0 ? r : settings_check_failures(settings, ret_why);
}

/* Those that say whether and when this host reboots. */
static int settings_check_reboot(Settings *settings, char **ret_why)
{
        int r;

        r = settings_check_strategy(settings, ret_why);
        if (r >= 0)
                r = settings_check_zone(settings, ret_why);
        if (r >= 0)
                r = settings_check_window(settings, ret_why);
        if (r >= 0)
                r = settings_check_windows(settings, ret_why);
        return r < 0 ? r : settings_check_duration(settings, ret_why);
}

int settings_read(Settings *settings, bool ctl, char **ret_why)
{
        int r;

        r = settings_collect(settings, ctl);
        if (r >= 0)
                r = settings_check_which(settings, ret_why);
        if (r < 0)
                return r;

        r = settings_check_reboot(settings, ret_why);
        if (r == -EINVAL && ctl && *ret_why) {
                settings->reboot_problem = TAKE_PTR(*ret_why);
                return 0;
        }
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

        if (settings->backend == SETTINGS_BACKEND_FLEETLOCK)
                return host_id_for_fleetlock(id, ret);

        *ret = TAKE_PTR(id);
        return 0;
}

void settings_done(Settings *settings)
{
        free(settings->root);
        free(settings->reboot_problem);
        for (size_t i = 0; i < SETTINGS_MAX; i++) {
                free(*setting_field(settings, i));
                free(settings->origins[i]);
        }
        text_list_done(&settings->etcd.endpoints);
        *settings = (Settings) {};
}
