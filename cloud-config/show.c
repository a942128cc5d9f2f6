#include <jansson.h>

#include "base/text.h"
#include "cloud-config/show.h"

#define SECRET_SHOWN "(set)"
#define NAME_WIDTH   30
#define VALUE_WIDTH  40

/* A value as it is shown, and where it is from. */
typedef struct Shown {
        const char *value; /* NULL: none */
        char *origin;      /* owned; NULL: there is nothing to show */
} Shown;

/* One setting. */
typedef struct Effective {
        const Key *key;
        Shown wanted;     /* of the document, else what is in force */
        Shown in_force;   /* when that is another, because the document was not applied */
        Shown overriding; /* what locksmithd believes before the document */
} Effective;

static void effective_done(Effective *effective)
{
        free(effective->wanted.origin);
        free(effective->in_force.origin);
        free(effective->overriding.origin);
        *effective = (Effective) {};
}

static const char *value_shown(const Key *key, const char *value)
{
        return key->secret && value ? SECRET_SHOWN : value;
}

static int shown_from_conf(const Key *key, const ConfValue *found, Shown *ret)
{
        ret->value = value_shown(key, found->text ? found->text : key->fallback);
        return conf_origin(found, &ret->origin);
}

static int shown_from_document(const Key *key, const Setting *setting, const char *source,
                               Shown *ret)
{
        const Place *place = &setting->place;
        char part[DECIMAL_MAX + 8] = "";

        if (place->part > 0)
                (void)snprintf(part, sizeof(part), " (part %u)", place->part);
        if (text_format(&ret->origin, "%s%s:%u", source, part, place->line) < 0)
                return -ENOMEM;

        ret->value = value_shown(key, setting->value);
        return 0;
}

static int effective_get(const Conf *conf, const Key *key, const Setting *setting,
                         const char *source, Effective *effective)
{
        const char *const names[] = { key->variable, NULL }, *const stronger[] = { key->stronger,
                                                                                   NULL };
        ConfValue overriding = conf_find(conf, stronger), plain = conf_find(conf, names);
        ConfValue found = overriding.text ? overriding : plain;
        int r;

        effective->key = key;
        if (!setting->value)
                return shown_from_conf(key, &found, &effective->wanted);

        r = shown_from_document(key, setting, source, &effective->wanted);
        if (r >= 0 && !streq_null(plain.text ? plain.text : key->fallback, setting->value))
                r = shown_from_conf(key, &found, &effective->in_force);
        if (r >= 0 && overriding.text)
                r = shown_from_conf(key, &overriding, &effective->overriding);
        return r;
}

static void effective_print(const Effective *effective, FILE *stream)
{
        const struct {
                const char *what;
                const Shown *shown;
        } more[] = { { "not applied: in force is", &effective->in_force },
                     { "without effect, stronger is", &effective->overriding } };
        const Key *key = effective->key;
        const Shown *wanted = &effective->wanted;
        char name[NAME_WIDTH + 1];

        (void)snprintf(name, sizeof(name), "%s.%s", stanza_to_string(key->stanza), key->name);
        fprintf(stream, "%-*s %-*s (%s)\n", NAME_WIDTH, name, VALUE_WIDTH,
                wanted->value ? wanted->value : "-", wanted->origin);
        for (size_t i = 0; i < ELEMENTSOF(more); i++)
                if (more[i].shown->origin)
                        fprintf(stream, "%*s %s %s (%s)\n", NAME_WIDTH, "", more[i].what,
                                more[i].shown->value ? more[i].shown->value : "nothing",
                                more[i].shown->origin);
}

static json_t *shown_json(const Shown *shown)
{
        return shown->origin
                       ? json_pack("{s:s?, s:s}", "value", shown->value, "origin", shown->origin)
                       : json_null();
}

static json_t *effective_json(const Effective *effective)
{
        const Key *key = effective->key;

        return json_pack("{s:s, s:s, s:s, s:s?, s:s, s:o, s:o}", "stanza",
                         stanza_to_string(key->stanza), "key", key->name, "variable", key->variable,
                         "value", effective->wanted.value, "origin", effective->wanted.origin,
                         "in-force", shown_json(&effective->in_force), "overridden-by",
                         shown_json(&effective->overriding));
}

int show_print(const Conf *conf, const Settings *settings, const char *source, bool json,
               FILE *stream)
{
        json_auto_t *array = json_array();
        int r;

        for (size_t id = 0; id < _KEY_MAX; id++) {
                _cleanup_(effective_done) Effective effective = {};

                if (keys[id].output == OUTPUT_NONE)
                        continue;
                r = effective_get(conf, &keys[id], &settings->items[id], source, &effective);
                if (r < 0)
                        return r;
                if (!json)
                        effective_print(&effective, stream);
                else if (json_array_append_new(array, effective_json(&effective)) < 0)
                        return -ENOMEM;
        }
        if (json && (json_dumpf(array, stream, JSON_INDENT(2)) < 0 || fputc('\n', stream) == EOF))
                return -EIO;

        return ferror(stream) ? -EIO : 0;
}
