/*
 * What is said to etcd's v2 keys API and how its answers are read (spec/etcd-gateway.md, v2 in
 * parts A to C). Pure. Answers are foreign bytes, as those of the v3 gateway are.
 */
#pragma once

#include "etcd-wire.h"

/* errorCode of an answer that is no error of the transport. */
typedef enum EtcdV2Error {
        ETCD_V2_OK = 0,
        ETCD_V2_KEY_NOT_FOUND = 100,
        ETCD_V2_COMPARE_FAILED = 101,
        ETCD_V2_NOT_A_FILE = 102,
        ETCD_V2_KEY_EXISTS = 105,
        ETCD_V2_ROOT_READ_ONLY = 107,
        ETCD_V2_UNAUTHORIZED = 110,
        ETCD_V2_RAFT_INTERNAL = 300,
        ETCD_V2_EVENT_INDEX_CLEARED = 401,
} EtcdV2Error;

typedef struct EtcdV2Answer {
        unsigned error; /* EtcdV2Error, or another one; ETCD_V2_OK: the rest is filled in */
        int64_t index;  /* of an error: where the store was; else 0 */
        bool gone;      /* what is told is that the key was removed, or has expired */
        bool directory; /* the keys in it are told */
        EtcdKey key;    /* the one that was asked for, without the slash at its begin */
        EtcdRange keys; /* of a directory, the oldest first; no directories in it */
        char why[ETCD_WHY_MAX];
} EtcdV2Answer;

/* "/v2/keys/KEY?QUERY"; the caller frees it. -EINVAL for a key that would name another one there:
 * with an empty part, "." or "..". */
int etcd_v2_path_build(const char *key, const char *query, char **ret) _must_check_;

/* The form that puts value (NULL: leaves it as it is, and tells nobody), with ttl seconds to live
 * (0: for ever). */
int etcd_v2_form_build(const char *value, unsigned ttl, char **ret) _must_check_;

/*
 * Reads any answer of the keys API about that key. -EBADMSG when it is none, or about another one.
 * Nothing is to be freed then.
 */
int etcd_v2_answer_parse(const char *body, size_t size, const char *key,
                         EtcdV2Answer *ret) _must_check_;

/* Of those keys what a range request of v3 would have answered: not younger than
 * max_create_revision (0: all), of those the youngest alone or all. */
void etcd_v2_range_select(EtcdRange *range, const EtcdRangeRequest *request);

/* /v2/stats/self and /v2/members. The former does not know when the leader is lost: has_leader is for
 * the caller to set, by /health. */
int etcd_v2_status_parse(const char *body, size_t size, EtcdStatus *ret) _must_check_;
int etcd_v2_members_parse(const char *body, size_t size, EtcdMembers *ret) _must_check_;

/* /health: is there a leader, and nothing wrong? What is no answer is "no". */
bool etcd_v2_health_parse(const char *body, size_t size);

void etcd_v2_answer_done(EtcdV2Answer *answer);
