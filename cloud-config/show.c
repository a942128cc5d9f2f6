#include <jansson.h>

#include "cloud-config/conf.h"
#include "cloud-config/show.h"

#define SECRET_SHOWN "(set)"
#define NAME_WIDTH   30
#define VALUE_WIDTH  40

/* One setting as it is in force. */
typedef struct Effective {
        const char *value; /* NULL: none */
        const char *origin;
        const char *overridden_by; /* a file that systemd lets win over the document, or NULL */
        char *override;            /* owned: the variable there */
} Effective;

/* What the daemons do when nobody says anything. */
static const char *key_default(size_t id)
{
        switch ((KeyId)id) {
        case KEY_GROUP:
                return "stable";
        case KEY_REBOOT_STRATEGY:
                return "reboot";
        case KEY_ENDPOINT:
                return "http://127.0.0.1:2379";
        case KEY_SERVER:
        case KEY_ETCD_CAFILE:
        case KEY_ETCD_CERTFILE:
        case KEY_ETCD_KEYFILE:
        case KEY_ETCD_USERNAME:
        case KEY_ETCD_PASSWORD:
        case KEY_LOCKSMITH_GROUP:
        case KEY_WINDOW_START:
        case KEY_WINDOW_LENGTH:
        case KEY_ETCD_ADDR:
        case KEY_ADVERTISE_CLIENT_URLS:
        case _KEY_MAX:
                return NULL;
        }

        return NULL;
}

static int effective_get(const Settings *settings, const Conf *conf, const char *source, size_t id,
                         Effective *ret)
{
        const Setting *setting = &settings->items[id];
        const char *path = NULL, *configured = conf_get(conf, keys[id].variable, &path);
        Effective effective = { .value = key_default(id), .origin = "default" };
        int r;

        if (setting->value)
                effective = (Effective) { .value = setting->value, .origin = source };
        else if (configured)
                effective = (Effective) { .value = configured, .origin = path };
        if (setting->value && keys[id].output == OUTPUT_DROP_IN) {
                r = conf_overrides(conf, keys[id].variable, &effective.overridden_by,
                                   &effective.override);
                if (r < 0)
                        return r;
        }
        if (keys[id].secret && effective.value)
                effective.value = SECRET_SHOWN;

        *ret = effective;
        return 0;
}

static void effective_done(Effective *effective)
{
        free(effective->override);
}

static void effective_print(const Effective *effective, size_t id, FILE *stream)
{
        char name[NAME_WIDTH + 1];

        (void)snprintf(name, sizeof(name), "%s.%s", stanza_to_string(keys[id].stanza),
                       keys[id].name);
        fprintf(stream, "%-*s %-*s (%s)\n", NAME_WIDTH, name, VALUE_WIDTH,
                effective->value ? effective->value : "-", effective->origin);
        if (effective->overridden_by)
                fprintf(stream, "%*s overridden by %s of %s\n", NAME_WIDTH, "", effective->override,
                        effective->overridden_by);
}

static json_t *effective_json(const Effective *effective, size_t id)
{
        return json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s?}", "stanza",
                         stanza_to_string(keys[id].stanza), "key", keys[id].name, "variable",
                         keys[id].variable, "value", effective->value, "origin", effective->origin,
                         "overridden-by", effective->overridden_by);
}

int show_print(const char *root, const Settings *settings, const char *source, bool json,
               FILE *stream)
{
        _cleanup_(conf_done) Conf conf = {};
        json_auto_t *array = json_array();
        int r;

        r = conf_read(root, &conf);
        if (r < 0)
                return r;

        for (size_t id = 0; id < _KEY_MAX; id++) {
                _cleanup_(effective_done) Effective effective = {};

                if (keys[id].output == OUTPUT_NONE)
                        continue;
                r = effective_get(settings, &conf, source, id, &effective);
                if (r < 0)
                        return r;
                if (!json)
                        effective_print(&effective, id, stream);
                else if (json_array_append_new(array, effective_json(&effective, id)) < 0)
                        return -ENOMEM;
        }
        if (json && (json_dumpf(array, stream, JSON_INDENT(2)) < 0 || fputc('\n', stream) == EOF))
                return -EIO;

        return ferror(stream) ? -EIO : 0;
}
