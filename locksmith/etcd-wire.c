#include <stdio.h>

#include "base/base64.h"
#include "base/text.h"
#include "etcd-wire-internal.h"

void etcd_key_done(EtcdKey *key)
{
        free(key->key);
        free(key->value);
        *key = (EtcdKey) {};
}

void etcd_range_done(EtcdRange *range)
{
        for (size_t i = 0; i < range->n_keys; i++)
                etcd_key_done(&range->keys[i]);
        free(range->keys);
        *range = (EtcdRange) {};
}

static int key_copy(const EtcdKey *key, EtcdKey *ret)
{
        _cleanup_(etcd_key_done) EtcdKey copy = *key;

        copy.key = strdup(key->key);
        copy.value = malloc(key->value_size + 1);
        if (!copy.key || !copy.value)
                return -ENOMEM;
        memcpy(copy.value, key->value, key->value_size + 1);

        *ret = copy;
        copy = (EtcdKey) {};
        return 0;
}

int etcd_range_copy(const EtcdRange *range, EtcdRange *ret)
{
        _cleanup_(etcd_range_done) EtcdRange copy = { .count = range->count };
        int r;

        copy.keys = calloc(range->n_keys + 1, sizeof(EtcdKey));
        if (!copy.keys)
                return -ENOMEM;
        for (size_t i = 0; i < range->n_keys; i++) {
                r = key_copy(&range->keys[i], &copy.keys[i]);
                if (r < 0)
                        return r;
                copy.n_keys++;
        }

        *ret = copy;
        copy = (EtcdRange) {};
        return 0;
}

void etcd_txn_done(EtcdTxn *txn)
{
        for (size_t i = 0; i < txn->n_ranges; i++)
                etcd_range_done(&txn->ranges[i]);
        *txn = (EtcdTxn) {};
}

void etcd_watch_line_done(EtcdWatchLine *line)
{
        etcd_key_done(&line->key);
        *line = (EtcdWatchLine) {};
}

json_t *etcd_json_load(const char *text, size_t size)
{
        json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);

        if (root && !json_is_object(root)) {
                json_decref(root);
                return NULL;
        }
        return root;
}

int etcd_json_int64(const json_t *object, const char *name, int64_t *ret)
{
        const json_t *value = json_object_get(object, name);
        uint64_t number = 0;
        int r;

        if (json_is_integer(value))
                number = (uint64_t)json_integer_value(value);
        else if (json_is_string(value)) {
                r = text_to_u64(json_string_value(value), INT64_MAX, &number);
                if (r < 0)
                        return -EBADMSG;
        } else if (value)
                return -EBADMSG;
        if (number > INT64_MAX)
                return -EBADMSG;

        *ret = (int64_t)number;
        return 0;
}

int etcd_json_bool(const json_t *object, const char *name, bool *ret)
{
        const json_t *value = json_object_get(object, name);

        if (value && !json_is_boolean(value))
                return -EBADMSG;

        *ret = json_is_true(value);
        return 0;
}

/* An absent field is an empty value. */
static int read_bytes(const json_t *object, const char *name, char **ret, size_t *ret_size)
{
        const json_t *value = json_object_get(object, name);

        if (value && !json_is_string(value))
                return -EBADMSG;

        return base64_decode(value ? json_string_value(value) : "", ret, ret_size);
}

static int read_key(const json_t *object, EtcdKey *ret)
{
        _cleanup_(etcd_key_done) EtcdKey key = {};
        size_t size;
        int r;

        if (!json_is_object(object))
                return -EBADMSG;

        r = read_bytes(object, "key", &key.key, &size);
        if (r >= 0 && (size == 0 || strlen(key.key) != size))
                r = -EBADMSG;
        if (r >= 0)
                r = read_bytes(object, "value", &key.value, &key.value_size);
        if (r >= 0)
                r = etcd_json_int64(object, "create_revision", &key.create_revision);
        if (r >= 0)
                r = etcd_json_int64(object, "mod_revision", &key.mod_revision);
        if (r >= 0)
                r = etcd_json_int64(object, "lease", &key.lease);
        if (r < 0)
                return r;

        *ret = key;
        key = (EtcdKey) {};
        return 0;
}

static int read_range(const json_t *object, EtcdRange *ret)
{
        _cleanup_(etcd_range_done) EtcdRange range = {};
        const json_t *keys = json_object_get(object, "kvs");
        size_t n = json_array_size(keys);
        int r;

        if (!json_is_object(object) || (keys && !json_is_array(keys)) || n > ETCD_KEYS_MAX)
                return -EBADMSG;
        r = etcd_json_int64(object, "count", &range.count);
        if (r < 0)
                return r;

        range.keys = n > 0 ? calloc(n, sizeof(EtcdKey)) : NULL;
        if (n > 0 && !range.keys)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                r = read_key(json_array_get(keys, i), &range.keys[i]);
                if (r < 0)
                        return r;
                range.n_keys++;
                if (range.keys[i].mod_revision <= 0 || range.keys[i].create_revision <= 0)
                        return -EBADMSG; /* a key that exists has both; 0 would mean "absent" to a
                                            compare */
        }

        *ret = range;
        range = (EtcdRange) {};
        return 0;
}

static int read_header(const json_t *object, int64_t *ret_revision)
{
        const json_t *header = json_object_get(object, "header");
        int64_t revision;
        int r;

        if (!json_is_object(header))
                return -EBADMSG;
        r = etcd_json_int64(header, "revision", &revision);
        if (r < 0 || revision <= 0)
                return -EBADMSG;

        *ret_revision = revision;
        return 0;
}

int etcd_range_parse(const char *body, size_t size, EtcdRange *ret, int64_t *ret_revision)
{
        json_auto_t *root = etcd_json_load(body, size);
        int64_t revision;
        int r;

        if (!root)
                return -EBADMSG;
        r = read_header(root, &revision);
        if (r < 0)
                return r;
        r = read_range(root, ret);
        if (r < 0)
                return r;

        *ret_revision = revision;
        return 0;
}

static int read_responses(const json_t *responses, const EtcdTxnRequest *request, EtcdTxn *txn)
{
        size_t wanted = txn->succeeded ? request->n_writes : request->n_reads;
        int r;

        if ((responses && !json_is_array(responses)) || json_array_size(responses) != wanted)
                return -EBADMSG;

        for (size_t i = 0; i < wanted; i++) {
                const json_t *response = json_array_get(responses, i);
                const char *name = !txn->succeeded            ? "response_range"
                                   : request->writes[i].value ? "response_put"
                                                              : "response_delete_range";
                const json_t *inner = json_object_get(response, name);

                if (!json_is_object(inner))
                        return -EBADMSG;
                if (txn->succeeded)
                        continue;
                r = read_range(inner, &txn->ranges[i]);
                if (r < 0)
                        return r;
                txn->n_ranges++;
        }

        return 0;
}

int etcd_txn_parse(const char *body, size_t size, const EtcdTxnRequest *request, EtcdTxn *ret)
{
        _cleanup_(etcd_txn_done) EtcdTxn txn = {};
        json_auto_t *root = etcd_json_load(body, size);
        int r;

        if (!root)
                return -EBADMSG;
        r = read_header(root, &txn.revision);
        if (r >= 0)
                r = etcd_json_bool(root, "succeeded", &txn.succeeded);
        if (r >= 0)
                r = read_responses(json_object_get(root, "responses"), request, &txn);
        if (r < 0)
                return r;

        *ret = txn;
        txn = (EtcdTxn) {};
        return 0;
}

/* The text of an error in either shape: {"error":"…"} or {"error":{"message":"…"}}. NULL: there is
 * none. */
static const char *error_message(const json_t *root)
{
        const json_t *error = json_object_get(root, "error");

        if (json_is_object(error))
                error = json_object_get(error, "message");
        else if (!error)
                error = json_object_get(root, "message"); /* of v2 */
        return json_string_value(error);
}

void etcd_error_text(const char *body, size_t size, char why[static ETCD_WHY_MAX])
{
        json_auto_t *root = etcd_json_load(body, size);
        const char *message = root ? error_message(root) : NULL;

        foreign_text(message ? message : body, message ? strlen(message) : size, why, ETCD_WHY_MAX);
}

static int read_events(const json_t *events, EtcdWatchLine *line)
{
        size_t n = json_array_size(events);
        const json_t *event, *type;
        int r;

        if (events && !json_is_array(events))
                return -EBADMSG;
        if (n == 0)
                return 0;

        /* Only what the key is now counts, not how it came to be so. */
        event = json_array_get(events, n - 1);
        type = json_object_get(event, "type");
        r = read_key(json_object_get(event, "kv"), &line->key);
        if (r < 0)
                return r;
        if (line->key.mod_revision <= 0)
                return -EBADMSG;

        line->changed = true;
        line->deleted = json_is_string(type) && streq(json_string_value(type), "DELETE");
        return 0;
}

static int read_watch_result(const json_t *root, EtcdWatchLine *line)
{
        const json_t *result = json_object_get(root, "result");
        const json_t *reason = json_object_get(result, "cancel_reason");
        int64_t compacted = 0;
        int r;

        if (!json_is_object(result))
                return -EBADMSG;

        r = etcd_json_bool(result, "created", &line->created);
        if (r >= 0)
                r = etcd_json_bool(result, "canceled", &line->canceled);
        if (r >= 0)
                r = etcd_json_int64(result, "compact_revision", &compacted);
        if (r >= 0)
                r = read_events(json_object_get(result, "events"), line);
        if (r < 0)
                return r;

        if (line->canceled && json_is_string(reason))
                foreign_text(json_string_value(reason), json_string_length(reason), line->why,
                             ETCD_WHY_MAX);
        else if (line->canceled)
                (void)snprintf(line->why, ETCD_WHY_MAX, "%s",
                               compacted > 0 ? "the wanted revision was compacted away"
                                             : "etcd ended the watch");
        return 0;
}

int etcd_watch_line_parse(const char *text, size_t size, EtcdWatchLine *ret)
{
        _cleanup_(etcd_watch_line_done) EtcdWatchLine line = {};
        json_auto_t *root = etcd_json_load(text, size);
        const char *message;
        int r;

        if (!root)
                return -EBADMSG;

        message = error_message(root);
        if (message) {
                line.canceled = true;
                foreign_text(message, strlen(message), line.why, ETCD_WHY_MAX);
        } else {
                r = read_watch_result(root, &line);
                if (r < 0)
                        return r;
        }

        *ret = line;
        line = (EtcdWatchLine) {};
        return 0;
}

/* A token goes into a header line as it is: nothing in it may end that line. */
static bool token_is_valid(const char *token)
{
        for (const char *p = token; *p; p++)
                if (*p <= ' ' || *p > '~')
                        return false;
        return *token;
}

int etcd_token_parse(const char *body, size_t size, char **ret)
{
        json_auto_t *root = etcd_json_load(body, size);
        const char *token = json_string_value(json_object_get(root, "token"));

        if (!token || !token_is_valid(token))
                return -EBADMSG;

        *ret = strdup(token);
        return *ret ? 0 : -ENOMEM;
}

int etcd_lease_parse(const char *body, size_t size, int64_t *ret)
{
        json_auto_t *root = etcd_json_load(body, size);
        int64_t lease;
        int r;

        if (!root)
                return -EBADMSG;
        r = etcd_json_int64(root, "ID", &lease);
        if (r < 0 || lease <= 0)
                return -EBADMSG;

        *ret = lease;
        return 0;
}

int etcd_keepalive_parse(const char *body, size_t size, int64_t *ret_seconds)
{
        json_auto_t *root = etcd_json_load(body, size);
        const json_t *result = json_object_get(root, "result");

        if (!json_is_object(result))
                return -EBADMSG;
        return etcd_json_int64(result, "TTL", ret_seconds);
}
