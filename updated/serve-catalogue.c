#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/io.h"
#include "base/text.h"
#include "serve-catalogue.h"

#define SHA256_HEX_SIZE    64
#define SHA256_BASE64_SIZE 44
#define SHA1_BASE64_SIZE   28
#define NAME_MAX_SIZE      160
#define TIME_SIZE          20 /* 2026-01-02T03:04:05Z */
#define DIGITS             "0123456789"
#define LETTERS            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool text_has_only(const char *text, const char *accepted, size_t size_max)
{
        size_t n = strlen(text);

        return n > 0 && n <= size_max && strspn(text, accepted) == n;
}

bool catalogue_word_is_valid(const char *text)
{
        return isalnum((unsigned char)*text)
               && text_has_only(text, DIGITS LETTERS "._+-", CATALOGUE_WORD_MAX);
}

bool catalogue_appid_is_valid(const char *text)
{
        return text_has_only(text, DIGITS LETTERS "._-{}", CATALOGUE_WORD_MAX);
}

static bool board_is_valid(const char *text)
{
        return !*text || catalogue_word_is_valid(text);
}

bool catalogue_name_is_valid(const char *text)
{
        return isalnum((unsigned char)*text)
               && text_has_only(text, DIGITS LETTERS "._+-", NAME_MAX_SIZE);
}

static bool sha256_is_valid(const char *text)
{
        return strlen(text) == SHA256_HEX_SIZE
               && text_has_only(text, DIGITS "abcdef", SHA256_HEX_SIZE);
}

static bool base64_is_valid(const char *text, size_t size)
{
        return strlen(text) == size && text_has_only(text, DIGITS LETTERS "+/=", size);
}

static bool sha256_base64_is_valid(const char *text)
{
        return base64_is_valid(text, SHA256_BASE64_SIZE);
}

static bool sha1_base64_is_valid(const char *text)
{
        return base64_is_valid(text, SHA1_BASE64_SIZE);
}

static bool time_is_valid(const char *text)
{
        return strlen(text) == TIME_SIZE && text_has_only(text, DIGITS "-:TZ", TIME_SIZE);
}

/* The texts of an item, and where each goes. */
typedef struct Field {
        const char *key;
        size_t offset; /* of a const char * in the item's struct */
        bool (*is_valid)(const char *text);
} Field;

static const Field payload_fields[] = {
        { "appid", offsetof(CataloguePayload, appid), catalogue_appid_is_valid },
        { "board", offsetof(CataloguePayload, board), board_is_valid },
        { "version", offsetof(CataloguePayload, version), catalogue_word_is_valid },
        { "name", offsetof(CataloguePayload, name), catalogue_name_is_valid },
        { "sha256", offsetof(CataloguePayload, sha256), sha256_is_valid },
        { "sha256_base64", offsetof(CataloguePayload, sha256_base64), sha256_base64_is_valid },
        { "sha1_base64", offsetof(CataloguePayload, sha1_base64), sha1_base64_is_valid },
        { "published", offsetof(CataloguePayload, published), time_is_valid },
        {},
};

static const Field package_fields[] = {
        { "name", offsetof(CatalogueFile, name), catalogue_name_is_valid },
        { "sha256", offsetof(CatalogueFile, sha256), sha256_is_valid },
        { "sha1_base64", offsetof(CatalogueFile, sha1_base64), sha1_base64_is_valid },
        {},
};

static const Field channel_fields[] = {
        { "appid", offsetof(CatalogueChannel, appid), catalogue_appid_is_valid },
        { "board", offsetof(CatalogueChannel, board), board_is_valid },
        { "channel", offsetof(CatalogueChannel, name), catalogue_word_is_valid },
        { "version", offsetof(CatalogueChannel, version), catalogue_word_is_valid },
        { "published", offsetof(CatalogueChannel, published), time_is_valid },
        {},
};

static const char **field_of(const Field *field, const void *item)
{
        return (const char **)(void *)((char *)item + field->offset);
}

/* Says what is wrong; ret_why stays NULL when there is no memory even for that. */
_printf_(2, 3) static int refuse(char **ret_why, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        (void)text_vformat(ret_why, format, arguments);
        va_end(arguments);
        return -EBADMSG;
}

/* Fills an item from its JSON; kind and i are for the message. */
static int item_parse(json_t *json, const Field *fields, const char *kind, size_t i, void *item,
                      char **ret_why)
{
        for (const Field *f = fields; f->key; f++) {
                const char *value = json_string_value(json_object_get(json, f->key));

                if (!value || !f->is_valid(value))
                        return refuse(ret_why, "%s %zu: \"%s\" is missing or malformed", kind, i,
                                      f->key);
                *field_of(f, item) = value;
        }

        return 0;
}

static int array_get(json_t *root, const char *key, size_t *ret_n, json_t **ret, char **ret_why)
{
        json_t *array = json_object_get(root, key);

        if (!json_is_array(array))
                return refuse(ret_why, "\"%s\" is missing or no list", key);
        if (json_array_size(array) > CATALOGUE_ITEMS_MAX)
                return refuse(ret_why, "\"%s\" has too many items", key);

        *ret_n = json_array_size(array);
        *ret = array;
        return 0;
}

static int size_parse(json_t *json, const char *kind, size_t i, uint64_t *ret, char **ret_why)
{
        json_int_t size = json_integer_value(json_object_get(json, "size"));

        if (size <= 0)
                return refuse(ret_why, "%s %zu: \"size\" is missing or malformed", kind, i);
        *ret = (uint64_t)size;
        return 0;
}

/* There may be none at all. */
static int packages_parse(json_t *array, CataloguePayload *payload, char **ret_why)
{
        static const char kind[] = "package";
        size_t n = json_array_size(array);
        int r;

        if (!array)
                return 0;
        if (!json_is_array(array) || n > CATALOGUE_PACKAGES_MAX)
                return refuse(ret_why, "\"packages\" of version %s is no list, or too long",
                              payload->version);
        payload->packages = calloc(MAX_OF(n, (size_t)1), sizeof(CatalogueFile));
        if (!payload->packages)
                return -ENOMEM;

        for (size_t i = 0; i < n; i++) {
                CatalogueFile package = {};

                r = item_parse(json_array_get(array, i), package_fields, kind, i, &package,
                               ret_why);
                if (r >= 0)
                        r = size_parse(json_array_get(array, i), kind, i, &package.size, ret_why);
                if (r < 0)
                        return r;
                if (catalogue_find_package(payload, package.name))
                        return refuse(ret_why, "version %s has package %s twice", payload->version,
                                      package.name);
                payload->packages[payload->n_packages++] = package;
        }

        return 0;
}

static int payloads_parse(Catalogue *catalogue, char **ret_why)
{
        json_t *array;
        size_t n;
        int r;

        r = array_get(catalogue->root, "payloads", &n, &array, ret_why);
        if (r < 0)
                return r;
        catalogue->payloads = calloc(MAX_OF(n, (size_t)1), sizeof(CataloguePayload));
        if (!catalogue->payloads)
                return -ENOMEM;

        while (catalogue->n_payloads < n) {
                size_t i = catalogue->n_payloads++;
                CataloguePayload *payload = &catalogue->payloads[i];
                json_t *json = json_array_get(array, i);

                r = size_parse(json, "payload", i, &payload->size, ret_why);
                if (r >= 0)
                        r = item_parse(json, payload_fields, "payload", i, payload, ret_why);
                if (r >= 0)
                        r = packages_parse(json_object_get(json, "packages"), payload, ret_why);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int channels_parse(Catalogue *catalogue, char **ret_why)
{
        json_t *array;
        size_t n;
        int r;

        r = array_get(catalogue->root, "channels", &n, &array, ret_why);
        if (r < 0)
                return r;
        catalogue->channels = calloc(MAX_OF(n, (size_t)1), sizeof(CatalogueChannel));
        if (!catalogue->channels)
                return -ENOMEM;

        for (; catalogue->n_channels < n; catalogue->n_channels++) {
                size_t i = catalogue->n_channels;
                CatalogueChannel *channel = &catalogue->channels[i];

                r = item_parse(json_array_get(array, i), channel_fields, "channel", i, channel,
                               ret_why);
                if (r < 0)
                        return r;
                channel->payload = catalogue_find_payload(catalogue, channel->appid, channel->board,
                                                          channel->version);
                if (!channel->payload)
                        return refuse(ret_why, "channel %zu: version %s is not among the payloads",
                                      i, channel->version);
        }

        return 0;
}

/* All but the JSON. */
static void catalogue_forget(Catalogue *catalogue)
{
        for (size_t i = 0; i < catalogue->n_payloads; i++)
                free(catalogue->payloads[i].packages);
        free(catalogue->payloads);
        free(catalogue->channels);
        *catalogue = (Catalogue) { .root = catalogue->root };
}

/* Fills the plain structs anew from the JSON. */
static int catalogue_refresh(Catalogue *catalogue, char **ret_why)
{
        int r;

        catalogue_forget(catalogue);

        if (json_integer_value(json_object_get(catalogue->root, "format")) != CATALOGUE_FORMAT)
                return refuse(ret_why, "\"format\" is not %d", CATALOGUE_FORMAT);
        r = payloads_parse(catalogue, ret_why);
        if (r < 0)
                return r;

        return channels_parse(catalogue, ret_why);
}

int catalogue_parse(const char *text, size_t size, Catalogue *ret, char **ret_why)
{
        _cleanup_(catalogue_done) Catalogue catalogue = {};
        json_error_t error;
        int r;

        *ret_why = NULL;
        catalogue.root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
        if (!catalogue.root)
                return refuse(ret_why, "line %d: %s", error.line, error.text);

        r = catalogue_refresh(&catalogue, ret_why);
        if (r < 0)
                return r;

        *ret = catalogue;
        catalogue = (Catalogue) {};
        return 0;
}

int catalogue_read(const char *directory, Catalogue *ret, char **ret_why)
{
        static const char empty[] = "{\"format\": 1, \"payloads\": [], \"channels\": []}";
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        *ret_why = NULL;
        r = file_read(directory, CATALOGUE_FILE, CATALOGUE_SIZE_MAX, &text, &size);
        if (r == -ENOENT)
                return catalogue_parse(empty, strlen(empty), ret, ret_why);
        if (r < 0)
                return r;

        return catalogue_parse(text, size, ret, ret_why);
}

int catalogue_write(const char *directory, const Catalogue *catalogue)
{
        _cleanup_free_ char *text = json_dumps(catalogue->root, JSON_INDENT(2));
        _cleanup_free_ char *file = NULL;

        if (!text || text_format(&file, "%s\n", text) < 0)
                return -ENOMEM;

        return file_replace(directory, CATALOGUE_FILE, file, strlen(file), 0644);
}

const CataloguePayload *catalogue_find_payload(const Catalogue *catalogue, const char *appid,
                                               const char *board, const char *version)
{
        for (size_t i = 0; i < catalogue->n_payloads; i++) {
                const CataloguePayload *payload = &catalogue->payloads[i];

                if (strcasecmp(payload->appid, appid) == 0 && streq(payload->board, board)
                    && streq(payload->version, version))
                        return payload;
        }

        return NULL;
}

const CataloguePayload *catalogue_find_name(const Catalogue *catalogue, const char *name)
{
        for (size_t i = 0; i < catalogue->n_payloads; i++)
                if (streq(catalogue->payloads[i].name, name))
                        return &catalogue->payloads[i];

        return NULL;
}

const CatalogueFile *catalogue_find_package(const CataloguePayload *payload, const char *name)
{
        for (size_t i = 0; i < payload->n_packages; i++)
                if (streq(payload->packages[i].name, name))
                        return &payload->packages[i];

        return NULL;
}

static const CatalogueChannel *channel_find(const Catalogue *catalogue, const char *appid,
                                            const char *board, const char *name)
{
        for (size_t i = 0; i < catalogue->n_channels; i++) {
                const CatalogueChannel *channel = &catalogue->channels[i];

                if (strcasecmp(channel->appid, appid) == 0 && streq(channel->board, board)
                    && streq(channel->name, name))
                        return channel;
        }

        return NULL;
}

const CatalogueChannel *catalogue_find_channel(const Catalogue *catalogue, const char *appid,
                                               const char *board, const char *name)
{
        const CatalogueChannel *channel = channel_find(catalogue, appid, board, name);

        return channel ? channel : channel_find(catalogue, appid, "", name);
}

bool catalogue_knows_app(const Catalogue *catalogue, const char *appid)
{
        for (size_t i = 0; i < catalogue->n_payloads; i++)
                if (strcasecmp(catalogue->payloads[i].appid, appid) == 0)
                        return true;

        return false;
}

/* The JSON of an item, or NULL when there is no memory. size 0: it has none. */
static json_t *item_format(const Field *fields, const void *item, uint64_t size)
{
        json_t *json = json_object();
        bool failed = !json;

        for (const Field *f = fields; f->key; f++)
                failed |= json_object_set_new(json, f->key, json_string(*field_of(f, item))) < 0;
        if (size > 0)
                failed |= json_object_set_new(json, "size", json_integer((json_int_t)size)) < 0;

        if (failed) {
                json_decref(json);
                return NULL;
        }
        return json;
}

/* What the program itself put in is well-formed: a refusal here is a bug of the caller. */
static int catalogue_changed(Catalogue *catalogue)
{
        _cleanup_free_ char *why = NULL;
        int r;

        r = catalogue_refresh(catalogue, &why);
        return r == -EBADMSG ? -EINVAL : r;
}

int catalogue_add_payload(Catalogue *catalogue, const CataloguePayload *payload)
{
        json_t *json = item_format(payload_fields, payload, payload->size);

        if (!json)
                return -ENOMEM;
        if (json_array_append_new(json_object_get(catalogue->root, "payloads"), json) < 0)
                return -ENOMEM;

        return catalogue_changed(catalogue);
}

int catalogue_add_package(Catalogue *catalogue, const CataloguePayload *payload,
                          const CatalogueFile *package)
{
        json_t *of = json_array_get(json_object_get(catalogue->root, "payloads"),
                                    (size_t)(payload - catalogue->payloads));
        json_t *json = item_format(package_fields, package, package->size);

        if (!json)
                return -ENOMEM;
        if (!json_object_get(of, "packages")
            && json_object_set_new(of, "packages", json_array()) < 0) {
                json_decref(json);
                return -ENOMEM;
        }
        if (json_array_append_new(json_object_get(of, "packages"), json) < 0)
                return -ENOMEM;

        return catalogue_changed(catalogue);
}

int catalogue_set_channel(Catalogue *catalogue, const CatalogueChannel *channel)
{
        const CatalogueChannel *old =
                channel_find(catalogue, channel->appid, channel->board, channel->name);
        json_t *array = json_object_get(catalogue->root, "channels");
        json_t *json = item_format(channel_fields, channel, 0);
        int r;

        if (!json)
                return -ENOMEM;
        if (old)
                r = json_array_set_new(array, (size_t)(old - catalogue->channels), json);
        else
                r = json_array_append_new(array, json);
        if (r < 0)
                return -ENOMEM;

        return catalogue_changed(catalogue);
}

void catalogue_done(Catalogue *catalogue)
{
        catalogue_forget(catalogue);
        json_decref(catalogue->root);
        *catalogue = (Catalogue) {};
}
