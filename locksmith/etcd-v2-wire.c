#include <stdio.h>

#include "base/buffer.h"
#include "etcd-v2-wire.h"
#include "etcd-wire-internal.h"

#define PATH_MAX_V2 (16 * KIB)
#define FORM_MAX    (4 * MIB)

void etcd_v2_answer_done(EtcdV2Answer *answer)
{
        etcd_key_done(&answer->key);
        etcd_range_done(&answer->keys);
        *answer = (EtcdV2Answer) {};
}

/* Percent-escapes all but plain characters and those in keep. */
static int escape(Buffer *buffer, const char *text, const char *keep)
{
        int r = 0;

        for (const char *p = text; *p && r >= 0; p++)
                if (text_is_url_plain(*p) || strchr(keep, *p))
                        r = buffer_append(buffer, p, 1);
                else
                        r = buffer_appendf(buffer, "%%%02X", (unsigned char)*p);
        return r;
}

/* The server cleans a path before it looks: then it would be another key. */
static bool key_is_clean(const char *key)
{
        const char *part = key;

        while (part) {
                size_t n = strcspn(part, "/");

                if (n == 0 || (n == 1 && *part == '.') || (n == 2 && strncmp(part, "..", 2) == 0))
                        return false;
                part = part[n] ? part + n + 1 : NULL;
        }
        return true;
}

int etcd_v2_path_build(const char *key, const char *query, char **ret)
{
        _cleanup_(buffer_done) Buffer path = BUFFER_MAX(PATH_MAX_V2);
        int r;

        if (!key_is_clean(key))
                return -EINVAL;
        r = buffer_append_text(&path, "/v2/keys/");
        if (r >= 0)
                r = escape(&path, key, "/+");
        if (r >= 0)
                r = buffer_appendf(&path, "?%s", query);
        return r < 0 ? r : buffer_take_text(&path, ret, NULL);
}

int etcd_v2_form_build(const char *value, unsigned ttl, char **ret)
{
        _cleanup_(buffer_done) Buffer form = BUFFER_MAX(FORM_MAX);
        int r;

        r = buffer_append_text(&form, value ? "value=" : "refresh=true");
        if (r >= 0 && value)
                r = escape(&form, value, "");
        if (r >= 0 && ttl > 0)
                r = buffer_appendf(&form, "&ttl=%u", ttl);
        return r < 0 ? r : buffer_take_text(&form, ret, NULL);
}

/* What a node is called, without the slash at its begin. */
static const char *node_name(const json_t *node)
{
        const char *name = json_string_value(json_object_get(node, "key"));

        return name && *name == '/' && name[1] ? name + 1 : NULL;
}

static int node_read(const json_t *node, bool gone, EtcdKey *ret)
{
        const json_t *value = json_object_get(node, "value");
        _cleanup_(etcd_key_done) EtcdKey key = {};
        const char *name = node_name(node);
        int r;

        if (!name || (value && !json_is_string(value)) || (!value && !gone))
                return -EBADMSG;
        r = etcd_json_int64(node, "modifiedIndex", &key.mod_revision);
        if (r >= 0)
                r = etcd_json_int64(node, "createdIndex", &key.create_revision);
        if (r >= 0 && (key.mod_revision <= 0 || key.create_revision <= 0))
                r = -EBADMSG; /* a node has both; 0 would mean "absent" to a compare */
        if (r >= 0)
                r = text_set(&key.key, name);
        if (r >= 0)
                r = text_set(&key.value, value ? json_string_value(value) : "");
        if (r < 0)
                return r;

        key.value_size = strlen(key.value);
        *ret = key;
        key = (EtcdKey) {};
        return 0;
}

static int key_compare_age(const void *a, const void *b)
{
        const EtcdKey *left = a, *right = b;

        return (left->create_revision > right->create_revision)
               - (left->create_revision < right->create_revision);
}

/* The nodes of a directory; it is empty without the field. */
static int nodes_read(const json_t *directory, const char *name, EtcdRange *range)
{
        const json_t *nodes = json_object_get(directory, "nodes");
        size_t n = json_array_size(nodes), length = strlen(name);

        if ((nodes && !json_is_array(nodes)) || n > ETCD_KEYS_MAX)
                return -EBADMSG;
        range->keys = calloc(n + 1, sizeof(EtcdKey));
        if (!range->keys)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                const json_t *node = json_array_get(nodes, i);
                const char *inner = node_name(node);
                bool directory_too;
                int r;

                if (!inner || strncmp(inner, name, length) != 0 || inner[length] != '/')
                        return -EBADMSG;
                r = etcd_json_bool(node, "dir", &directory_too);
                if (r >= 0 && !directory_too)
                        r = node_read(node, false, &range->keys[range->n_keys++]);
                if (r < 0)
                        return r;
        }

        qsort(range->keys, range->n_keys, sizeof(EtcdKey), key_compare_age);
        return 0;
}

/* Actions after which the key is gone. */
static bool action_removes(const char *action)
{
        return streq(action, "delete") || streq(action, "expire")
               || streq(action, "compareAndDelete");
}

static int success_read(const json_t *root, const char *key, EtcdV2Answer *answer)
{
        const char *action = json_string_value(json_object_get(root, "action"));
        const json_t *node = json_object_get(root, "node");
        const char *name = node_name(node);
        int r;

        if (!action || !name || !streq(name, key))
                return -EBADMSG;
        r = etcd_json_bool(node, "dir", &answer->directory);
        if (r < 0)
                return r;

        answer->gone = action_removes(action);
        return answer->directory && !answer->gone ? nodes_read(node, name, &answer->keys)
                                                  : node_read(node, answer->gone, &answer->key);
}

static int error_read(const json_t *root, EtcdV2Answer *answer)
{
        char message[ETCD_WHY_MAX], cause[ETCD_WHY_MAX];
        int64_t code;
        int r;

        r = etcd_json_int64(root, "errorCode", &code);
        if (r >= 0)
                r = etcd_json_int64(root, "index", &answer->index);
        if (r < 0 || code <= 0 || code > UINT16_MAX)
                return -EBADMSG;

        answer->error = (unsigned)code;
        etcd_json_text(json_object_get(root, "message"), message, sizeof(message));
        etcd_json_text(json_object_get(root, "cause"), cause, sizeof(cause));
        (void)snprintf(answer->why, sizeof(answer->why), "%u: %.140s (%.140s)", answer->error,
                       message, cause); /* cut is fine */
        return 0;
}

int etcd_v2_answer_parse(const char *body, size_t size, const char *key, EtcdV2Answer *ret)
{
        _cleanup_(etcd_v2_answer_done) EtcdV2Answer answer = {};
        json_auto_t *root = etcd_json_load(body, size);
        int r;

        if (!root)
                return -EBADMSG;
        r = json_object_get(root, "errorCode") ? error_read(root, &answer)
                                               : success_read(root, key, &answer);
        if (r < 0)
                return r;

        *ret = answer;
        answer = (EtcdV2Answer) {};
        return 0;
}

void etcd_v2_range_select(EtcdRange *range, const EtcdRangeRequest *request)
{
        size_t begin = 0, n = range->n_keys;

        while (request->max_create_revision > 0 && n > 0
               && range->keys[n - 1].create_revision > request->max_create_revision)
                etcd_key_done(&range->keys[--n]);
        range->n_keys = n;
        if (!request->youngest || n < 2)
                return;

        while (begin < n - 1)
                etcd_key_done(&range->keys[begin++]);
        range->keys[0] = range->keys[n - 1];
        range->keys[n - 1] = (EtcdKey) {};
        range->n_keys = 1;
}

int etcd_v2_status_parse(const char *body, size_t size, EtcdStatus *ret)
{
        json_auto_t *root = etcd_json_load(body, size);
        EtcdStatus status = { .version = "(v2 API)" };

        if (!json_is_string(json_object_get(root, "id"))
            || !json_is_string(json_object_get(root, "state")))
                return -EBADMSG;

        etcd_json_text(json_object_get(root, "id"), status.member_id, sizeof(status.member_id));
        *ret = status;
        return 0;
}

bool etcd_v2_health_parse(const char *body, size_t size)
{
        json_auto_t *root = etcd_json_load(body, size);
        const char *health = json_string_value(json_object_get(root, "health"));

        return health && streq(health, "true");
}

int etcd_v2_members_parse(const char *body, size_t size, EtcdMembers *ret)
{
        json_auto_t *root = etcd_json_load(body, size);

        return etcd_json_members(json_object_get(root, "members"), "id", ret);
}
