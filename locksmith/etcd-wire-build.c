#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/base64.h"
#include "etcd-wire.h"

/* Every setter below takes a NULL value for "out of memory", which json_object_set_new() reports as
 * well. */
static int set(json_t *object, const char *name, json_t *value)
{
        return json_object_set_new(object, name, value) < 0 ? -ENOMEM : 0;
}

static int append(json_t *array, json_t *value)
{
        return json_array_append_new(array, value) < 0 ? -ENOMEM : 0;
}

/* Revisions and leases go as texts: 64 bits do not survive every JSON reader as numbers. */
static int set_int64(json_t *object, const char *name, int64_t value)
{
        char text[DECIMAL_MAX];

        (void)snprintf(text, sizeof(text), "%" PRId64, value); /* DECIMAL_MAX holds every value */
        return set(object, name, json_string(text));
}

static int set_bytes(json_t *object, const char *name, const void *data, size_t size)
{
        _cleanup_free_ char *text = NULL;
        int r;

        r = base64_encode(data, size, &text);
        if (r < 0)
                return r;

        return set(object, name, json_string(text));
}

/* The end of the range of all keys with that prefix: its last byte counted up. Our prefixes end in
 * '/'. */
static int set_prefix_end(json_t *object, const char *prefix)
{
        _cleanup_free_ char *end = strdup(prefix);
        size_t n = strlen(prefix);

        if (!end)
                return -ENOMEM;
        assert(n > 0 && end[n - 1] == '/');
        end[n - 1]++;

        return set_bytes(object, "range_end", end, n);
}

static int dump(json_t *root, char **ret)
{
        char *text = json_dumps(root, JSON_COMPACT);

        if (!text)
                return -ENOMEM;

        *ret = text;
        return 0;
}

static int range_fill(json_t *object, const EtcdRangeRequest *request)
{
        int r;

        r = set_bytes(object, "key", request->key, strlen(request->key));
        if (r >= 0 && request->end)
                r = set_bytes(object, "range_end", request->end, strlen(request->end));
        if (r < 0 || !request->prefix)
                return r;

        r = set_prefix_end(object, request->key);
        if (r >= 0 && request->count_only)
                return set(object, "count_only", json_true());
        if (r >= 0)
                r = set(object, "sort_target", json_string("CREATE"));
        if (r >= 0)
                r = set(object, "sort_order",
                        json_string(request->youngest ? "DESCEND" : "ASCEND"));
        if (r >= 0 && request->youngest)
                r = set_int64(object, "limit", 1);
        if (r >= 0 && request->max_create_revision > 0)
                r = set_int64(object, "max_create_revision", request->max_create_revision);
        return r;
}

int etcd_range_build(const EtcdRangeRequest *request, char **ret)
{
        json_auto_t *root = json_object();
        int r;

        r = range_fill(root, request);
        if (r < 0)
                return r;

        return dump(root, ret);
}

static int compare_fill(json_t *object, const EtcdCompare *compare)
{
        bool create = compare->target == ETCD_CREATE_REVISION;
        bool since = compare->target == ETCD_UNCHANGED_SINCE;
        int r;

        r = set_bytes(object, "key", compare->key, strlen(compare->key));
        if (r >= 0 && since && compare->end)
                r = set_bytes(object, "range_end", compare->end, strlen(compare->end));
        if (r >= 0)
                r = set(object, "target", json_string(create ? "CREATE" : "MOD"));
        if (r >= 0)
                r = set(object, "result", json_string(since ? "LESS" : "EQUAL"));
        if (r >= 0)
                r = set_int64(object, create ? "create_revision" : "mod_revision",
                              since ? compare->revision + 1 : compare->revision);
        return r;
}

static int compares_fill(json_t *array, const EtcdTxnRequest *request)
{
        int r = 0;

        for (size_t i = 0; i < request->n_compares && r >= 0; i++) {
                json_t *object = json_object();

                r = append(array, object);
                if (r >= 0)
                        r = compare_fill(object, &request->compares[i]);
        }

        return r;
}

/* Appends {"name": {}} and returns the inner object, or NULL. */
static json_t *append_operation(json_t *array, const char *name)
{
        json_t *outer = json_object(), *inner = json_object();

        if (append(array, outer) < 0) {
                json_decref(inner);
                return NULL;
        }
        return set(outer, name, inner) < 0 ? NULL : inner;
}

static int writes_fill(json_t *array, const EtcdTxnRequest *request)
{
        int r = 0;

        for (size_t i = 0; i < request->n_writes && r >= 0; i++) {
                const EtcdWrite *write = &request->writes[i];
                json_t *object = append_operation(array, write->value ? "request_put"
                                                                      : "request_delete_range");

                r = set_bytes(object, "key", write->key, strlen(write->key));
                if (r >= 0 && write->value)
                        r = set_bytes(object, "value", write->value, strlen(write->value));
                if (r >= 0 && write->value && write->lease)
                        r = set_int64(object, "lease", write->lease);
        }

        return r;
}

static int reads_fill(json_t *array, const EtcdTxnRequest *request)
{
        int r = 0;

        for (size_t i = 0; i < request->n_reads && r >= 0; i++)
                r = range_fill(append_operation(array, "request_range"), &request->reads[i]);

        return r;
}

int etcd_txn_build(const EtcdTxnRequest *request, char **ret)
{
        json_auto_t *root = json_object();
        json_t *compare = json_array(), *success = json_array(), *failure = json_array();
        int r, s, t;

        assert(request->n_compares <= ETCD_TXN_MAX && request->n_writes <= ETCD_TXN_MAX
               && request->n_reads <= ETCD_TXN_MAX);

        /* All three are given away before the first return. */
        r = set(root, "compare", compare);
        s = set(root, "success", success);
        t = set(root, "failure", failure);
        if (r < 0 || s < 0 || t < 0)
                return -ENOMEM;

        r = compares_fill(compare, request);
        if (r >= 0)
                r = writes_fill(success, request);
        if (r >= 0)
                r = reads_fill(failure, request);
        if (r < 0)
                return r;

        return dump(root, ret);
}

int etcd_watch_build(const char *key, const char *end, int64_t start_revision, char **ret)
{
        json_auto_t *root = json_object();
        json_t *request = json_object();
        int r;

        r = set(root, "create_request", request);
        if (r >= 0)
                r = set_bytes(request, "key", key, strlen(key));
        if (r >= 0 && end)
                r = set_bytes(request, "range_end", end, strlen(end));
        if (r >= 0)
                r = set_int64(request, "start_revision", start_revision);
        if (r < 0)
                return r;

        return dump(root, ret);
}

int etcd_authenticate_build(const char *user, const char *password, char **ret)
{
        json_auto_t *root = json_object();
        int r;

        r = set(root, "name", json_string(user));
        if (r >= 0)
                r = set(root, "password", json_string(password ? password : ""));
        if (r < 0)
                return r;

        return dump(root, ret);
}

static int number_build(const char *name, int64_t value, char **ret)
{
        json_auto_t *root = json_object();
        int r;

        r = set_int64(root, name, value);
        if (r < 0)
                return r;

        return dump(root, ret);
}

int etcd_lease_grant_build(int64_t seconds, char **ret)
{
        return number_build("TTL", seconds, ret);
}

int etcd_lease_build(int64_t lease, char **ret)
{
        return number_build("ID", lease, ret);
}
