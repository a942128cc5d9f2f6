#include "fuzz/fuzz.h"
#include "locksmith/etcd-v2-wire.h"

/* The key that was asked for is the first line; the answer is the rest. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const char *text = (const char *)data, *end = size > 0 ? memchr(text, '\n', size) : NULL;
        _cleanup_free_ char *key = end ? strndup(text, (size_t)(end - text)) : NULL;
        EtcdV2Answer answer;
        EtcdMembers members;
        EtcdStatus status;
        size_t rest;

        if (!key)
                return 0;
        rest = size - (size_t)(end + 1 - text);
        if (etcd_v2_answer_parse(end + 1, rest, key, &answer) == 0) {
                etcd_v2_range_select(&answer.keys,
                                     &(EtcdRangeRequest) { .key = key,
                                                           .youngest = rest % 2,
                                                           .max_create_revision = 7 });
                etcd_v2_answer_done(&answer);
        }
        if (etcd_v2_members_parse(end + 1, rest, &members) == 0)
                etcd_members_done(&members);
        (void)etcd_v2_health_parse(end + 1, rest);
        return etcd_v2_status_parse(end + 1, rest, &status) == 0
               && strlen(status.member_id) >= ETCD_ID_MAX;
}
