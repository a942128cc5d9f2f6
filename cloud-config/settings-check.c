#include "base/conf.h"
#include "base/text.h"
#include "cloud-config/settings.h"
#include "cloud-config/url.h"
#include "locksmith/window.h"

static const Setting *setting_of(const Settings *settings, KeyId id)
{
        return &settings->items[id];
}

/* Named in the document, even if its value was refused. */
static bool is_named(const Settings *settings, KeyId id)
{
        return setting_of(settings, id)->place.line > 0;
}

static const char *value_of(const Settings *settings, KeyId id)
{
        return setting_of(settings, id)->value;
}

static void refuse(Findings *findings, const Settings *settings, KeyId id, const char *path,
                   const char *hint, const char *text)
{
        finding_add(findings, SEVERITY_ERROR, setting_of(settings, id)->place, path, hint, "%s",
                    text);
}

static void warn(Findings *findings, const Settings *settings, KeyId id, const char *path,
                 const char *hint, const char *text)
{
        finding_add(findings, SEVERITY_WARNING, setting_of(settings, id)->place, path, hint, "%s",
                    text);
}

static void window_check(const Settings *settings, Findings *findings)
{
        bool start = is_named(settings, KEY_WINDOW_START),
             length = is_named(settings, KEY_WINDOW_LENGTH);
        const char *why;
        Window window;

        if (start && !length)
                refuse(findings, settings, KEY_WINDOW_START, "coreos.locksmith.window-start",
                       "add window-length, as in 1h30m", "a window needs a length too");
        if (length && !start)
                refuse(findings, settings, KEY_WINDOW_LENGTH, "coreos.locksmith.window-length",
                       "add window-start, as in Thu 04:00", "a window needs a start too");
        if (!value_of(settings, KEY_WINDOW_START) || !value_of(settings, KEY_WINDOW_LENGTH))
                return;

        if (window_parse(value_of(settings, KEY_WINDOW_START),
                         value_of(settings, KEY_WINDOW_LENGTH), &window, &why)
            < 0)
                refuse(findings, settings, KEY_WINDOW_LENGTH, "coreos.locksmith.window-length",
                       NULL, why);
}

/* True when an endpoint is https. */
static bool endpoint_is_https(const Settings *settings)
{
        const char *endpoints = value_of(settings, KEY_ENDPOINT);

        for (const char *p = endpoints; p; p = strchr(p, ',')) {
                p += *p == ',';
                if (url_is_https(p))
                        return true;
        }

        return false;
}

static void tls_check(const Settings *settings, Findings *findings)
{
        bool ca = is_named(settings, KEY_ETCD_CAFILE), cert = is_named(settings, KEY_ETCD_CERTFILE),
             key = is_named(settings, KEY_ETCD_KEYFILE);
        KeyId first = ca ? KEY_ETCD_CAFILE : cert ? KEY_ETCD_CERTFILE : KEY_ETCD_KEYFILE;

        if (cert && !key)
                refuse(findings, settings, KEY_ETCD_CERTFILE, "coreos.locksmith.etcd-certfile",
                       "add etcd-keyfile", "a certificate is of no use without its key");
        if (key && !cert)
                refuse(findings, settings, KEY_ETCD_KEYFILE, "coreos.locksmith.etcd-keyfile",
                       "add etcd-certfile", "a key is of no use without its certificate");

        if (!value_of(settings, KEY_ENDPOINT))
                return;
        if ((ca || cert || key) && !endpoint_is_https(settings))
                warn(findings, settings, first, "coreos.locksmith",
                     "write https:// in endpoint, or remove the files",
                     "the TLS files are not used: no endpoint is https");
        if (!ca && endpoint_is_https(settings))
                warn(findings, settings, KEY_ENDPOINT, "coreos.locksmith.endpoint",
                     "add etcd-cafile if etcd has a certificate of your own",
                     "https without etcd-cafile: only certificates of public authorities are accepted");
}

static void login_check(const Settings *settings, Findings *findings)
{
        bool user = is_named(settings, KEY_ETCD_USERNAME),
             password = is_named(settings, KEY_ETCD_PASSWORD);

        if (password && !user)
                refuse(findings, settings, KEY_ETCD_PASSWORD, "coreos.locksmith.etcd-password",
                       "add etcd-username", "a password is of no use without a user name");
        if (user && !password)
                warn(findings, settings, KEY_ETCD_USERNAME, "coreos.locksmith.etcd-username",
                     "add etcd-password", "a user name without a password");
}

/* etcd-lock without an endpoint: the document may say elsewhere where etcd is. */
static int endpoint_derive(Settings *settings, Findings *findings)
{
        Setting *endpoint = &settings->items[KEY_ENDPOINT];
        KeyId from = value_of(settings, KEY_ADVERTISE_CLIENT_URLS) ? KEY_ADVERTISE_CLIENT_URLS
                                                                   : KEY_ETCD_ADDR;
        const Setting *source = setting_of(settings, from);
        const Setting *strategy = setting_of(settings, KEY_REBOOT_STRATEGY);

        if (!strategy->value || !streq(strategy->value, "etcd-lock")
            || is_named(settings, KEY_ENDPOINT))
                return 0;

        if (!source->value) {
                finding_add(findings, SEVERITY_NOTE, strategy->place,
                            "coreos.update.reboot-strategy", NULL,
                            "no coreos.locksmith.endpoint: locksmithd will ask etcd at %s",
                            CONF_ENDPOINT_DEFAULT);
                return 0;
        }

        *endpoint = (Setting) { .place = source->place, .derived = true };
        finding_add(findings, SEVERITY_NOTE, source->place, "coreos.locksmith.endpoint", NULL,
                    "taken from coreos.%s.%s: %s", stanza_to_string(keys[from].stanza),
                    keys[from].name, source->value);
        return text_set(&endpoint->value, source->value);
}

int settings_check(Settings *settings, Findings *findings)
{
        int r;

        r = endpoint_derive(settings, findings);
        if (r < 0)
                return r;

        window_check(settings, findings);
        tls_check(settings, findings);
        login_check(settings, findings);
        return 0;
}
