#include "etcd-wire-internal.h"

void etcd_json_text(const json_t *value, char *out, size_t size)
{
        const char *text = json_string_value(value);

        foreign_text(text ? text : "", text ? strlen(text) : 0, out, size);
}

int etcd_status_parse(const char *body, size_t size, EtcdStatus *ret)
{
        json_auto_t *root = etcd_json_load(body, size);
        const json_t *header = json_object_get(root, "header");
        int64_t index = 0, applied = 0;
        EtcdStatus status = {};

        if (!json_is_object(header) || !json_is_string(json_object_get(root, "version"))
            || !json_is_string(json_object_get(header, "cluster_id"))
            || etcd_json_int64(root, "raftIndex", &index) < 0
            || etcd_json_int64(root, "raftAppliedIndex", &applied) < 0)
                return -EBADMSG;

        etcd_json_text(json_object_get(root, "version"), status.version, sizeof(status.version));
        etcd_json_text(json_object_get(header, "cluster_id"), status.cluster_id,
                       sizeof(status.cluster_id));
        etcd_json_text(json_object_get(header, "member_id"), status.member_id,
                       sizeof(status.member_id));
        status.has_leader = json_object_get(root, "leader"); /* absent: 0, nobody */
        status.raft_index = (uint64_t)index;
        status.raft_applied_index = (uint64_t)applied;
        *ret = status;
        return 0;
}

void etcd_members_done(EtcdMembers *members)
{
        for (size_t i = 0; i < members->n_members; i++) {
                text_list_done(&members->members[i].peer_urls);
                text_list_done(&members->members[i].client_urls);
        }
        free(members->members);
        *members = (EtcdMembers) {};
}

static int urls_read(const json_t *array, TextList *ret)
{
        int r = 0;

        if ((array && !json_is_array(array)) || json_array_size(array) > ETCD_URLS_MAX)
                return -EBADMSG;
        for (size_t i = 0; i < json_array_size(array) && r >= 0; i++) {
                const char *url = json_string_value(json_array_get(array, i));

                r = url ? text_list_add(ret, url) : -EBADMSG;
        }
        return r;
}

static int member_read(const json_t *object, const char *id_name, EtcdMember *ret)
{
        int r;

        if (!json_is_object(object))
                return -EBADMSG;
        etcd_json_text(json_object_get(object, id_name), ret->id, sizeof(ret->id));
        etcd_json_text(json_object_get(object, "name"), ret->name, sizeof(ret->name));
        r = *ret->id ? etcd_json_bool(object, "isLearner", &ret->learner) : -EBADMSG;
        if (r >= 0)
                r = urls_read(json_object_get(object, "peerURLs"), &ret->peer_urls);
        if (r >= 0)
                r = urls_read(json_object_get(object, "clientURLs"), &ret->client_urls);
        return r;
}

int etcd_json_members(const json_t *array, const char *id_name, EtcdMembers *ret)
{
        _cleanup_(etcd_members_done) EtcdMembers members = {};
        int r = 0;

        if (!json_is_array(array) || json_array_size(array) > ETCD_MEMBERS_MAX)
                return -EBADMSG;
        members.members = calloc(json_array_size(array) + 1, sizeof(EtcdMember));
        if (!members.members)
                return -ENOMEM;

        for (size_t i = 0; i < json_array_size(array) && r >= 0; i++)
                r = member_read(json_array_get(array, i), id_name,
                                &members.members[members.n_members++]);
        if (r < 0)
                return r;

        *ret = members;
        members = (EtcdMembers) {};
        return 0;
}

int etcd_members_parse(const char *body, size_t size, EtcdMembers *ret)
{
        json_auto_t *root = etcd_json_load(body, size);

        return etcd_json_members(json_object_get(root, "members"), "ID", ret);
}
