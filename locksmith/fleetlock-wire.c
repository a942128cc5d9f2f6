#include "fleetlock-wire.h"
#include "etcd-wire-internal.h"

bool fleetlock_group_is_valid(const char *group)
{
        size_t n = strlen(group);

        for (const char *p = group; *p; p++)
                if (*p == '_' || *p == '~' || !text_is_url_plain(*p))
                        return false;
        return n > 0 && n <= FLEETLOCK_NAME_MAX && !streq(group, ".") && !streq(group, "..");
}

/* Ids go into the lock that all hosts share, and onto terminals. */
static bool id_is_valid(const char *id)
{
        size_t n = strlen(id);

        for (const char *p = id; *p; p++)
                if (*p <= ' ' || *p > '~')
                        return false;
        return n > 0 && n <= FLEETLOCK_NAME_MAX;
}

static int dump(json_t *document, char **ret)
{
        json_auto_t *owned = document;
        char *text = owned ? json_dumps(owned, JSON_COMPACT) : NULL;

        if (!text)
                return -ENOMEM;

        *ret = text;
        return 0;
}

int fleetlock_request_build(const char *id, const char *group, char **ret)
{
        return dump(json_pack("{s:{s:s, s:s}}", "client_params", "id", id, "group", group), ret);
}

void fleetlock_request_done(FleetlockRequest *request)
{
        free(request->id);
        free(request->group);
        *request = (FleetlockRequest) {};
}

int fleetlock_request_parse(const char *body, size_t size, FleetlockRequest *ret,
                            const char **ret_why)
{
        json_auto_t *root = etcd_json_load(body, size);
        const json_t *parameters = json_object_get(root, "client_params");
        const char *id = json_string_value(json_object_get(parameters, "id"));
        const char *group = json_string_value(json_object_get(parameters, "group"));
        _cleanup_(fleetlock_request_done) FleetlockRequest request = {};
        int r;

        *ret_why = !root         ? "the body is no JSON object"
                   : !parameters ? "client_params are missing"
                   : !id || !id_is_valid(id)
                           ? "the id is missing, or no printable text without blanks"
                   : !group || !fleetlock_group_is_valid(group)
                           ? "the group is missing, or has characters that are not allowed"
                           : NULL;
        if (*ret_why)
                return -EBADMSG;

        r = text_set(&request.id, id);
        if (r >= 0)
                r = text_set(&request.group, group);
        if (r < 0)
                return r;

        *ret = request;
        request = (FleetlockRequest) {};
        return 0;
}

int fleetlock_error_build(const char *kind, const char *value, char **ret)
{
        char shown[FLEETLOCK_VALUE_MAX];

        foreign_text(value, strlen(value), shown, sizeof(shown));
        return dump(json_pack("{s:s, s:s}", "kind", kind, "value", shown), ret);
}

void fleetlock_error_parse(const char *body, size_t size, char kind[static FLEETLOCK_KIND_MAX],
                           char value[static FLEETLOCK_VALUE_MAX])
{
        json_auto_t *root = etcd_json_load(body, size);

        etcd_json_text(json_object_get(root, "kind"), kind, FLEETLOCK_KIND_MAX);
        etcd_json_text(json_object_get(root, "value"), value, FLEETLOCK_VALUE_MAX);
}
