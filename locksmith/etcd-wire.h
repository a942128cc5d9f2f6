/*
 * What is said to etcd's v3 JSON gateway and how its answers are read (spec/etcd-gateway.md part
 * A). Pure.
 *
 * The gateway ignores misspelt fields without a word, which turns a compare-and-swap into a plain
 * write: so all requests are built here and nowhere else, and every answer is held against what was
 * asked. Answers are foreign bytes: bounded by their reader (ETCD_REPLY_MAX), decoded, checked, and
 * then plain structs.
 */
#pragma once

#include "base/text.h"

#define ETCD_REPLY_MAX (4 * MIB)

/* More keys, compares or writes than this in one transaction are our own mistake; etcd takes 128.
 */
#define ETCD_TXN_MAX 8

/* More keys than this in an answer are refused. */
#define ETCD_KEYS_MAX 100000

/* Texts for people that come from etcd are cut here. */
#define ETCD_WHY_MAX 300

typedef struct EtcdKey {
        char *key;
        char *value; /* a NUL follows its value_size bytes */
        size_t value_size;
        int64_t create_revision; /* the order in which keys came to be */
        int64_t mod_revision;    /* what a compare-and-swap compares */
        int64_t lease;           /* 0: none */
} EtcdKey;

typedef struct EtcdRange {
        EtcdKey *keys;
        size_t n_keys;
        int64_t count; /* of all keys in the range, also when not all were wanted */
} EtcdRange;

typedef struct EtcdRangeRequest {
        const char *key;
        bool prefix;                 /* all keys that begin with it */
        const char *end;             /* all keys from it on and before this one; NULL: only it */
        bool count_only;             /* no keys, but how many there are */
        int64_t max_create_revision; /* only keys not younger than this; 0: all */
        bool youngest;               /* of those the youngest only; else ascending by age */
} EtcdRangeRequest;

typedef enum EtcdTarget {
        ETCD_CREATE_REVISION, /* 0: the key must be absent */
        ETCD_MOD_REVISION,
        ETCD_UNCHANGED_SINCE, /* no change behind that revision, also not by having come to be */
} EtcdTarget;

typedef struct EtcdCompare {
        const char *key;
        EtcdTarget target;
        int64_t revision;
        const char
                *end; /* of ETCD_UNCHANGED_SINCE: every key from key on and before this one; NULL:
                            only key */
} EtcdCompare;

typedef struct EtcdWrite {
        const char *key;
        const char *value; /* NULL: delete the key */
        int64_t lease;     /* 0: none */
} EtcdWrite;

/* When all compares hold, everything in writes is done; else (and only else) the ranges are read.
 */
typedef struct EtcdTxnRequest {
        const EtcdCompare *compares;
        size_t n_compares;
        const EtcdWrite *writes;
        size_t n_writes;
        const EtcdRangeRequest *reads;
        size_t n_reads;
} EtcdTxnRequest;

typedef struct EtcdTxn {
        bool succeeded;
        int64_t revision; /* of the store after it: the mod_revision of what was written */
        EtcdRange ranges[ETCD_TXN_MAX]; /* without success: the answers to reads */
        size_t n_ranges;
} EtcdTxn;

/* One line of a watch stream. */
typedef struct EtcdWatchLine {
        bool created;  /* the watch stands; events follow */
        bool canceled; /* or not: why tells */
        bool deleted;  /* the last event was a DELETE */
        bool changed;  /* there is at least one event; key is the last of them */
        EtcdKey key;
        char why[ETCD_WHY_MAX];
} EtcdWatchLine;

#define ETCD_ID_MAX      24 /* decimal, with its NUL */
#define ETCD_MEMBERS_MAX 64 /* more are refused; etcd advises 7 */
#define ETCD_URLS_MAX    16 /* of a member; more are refused */

/* What a member says about itself. */
typedef struct EtcdStatus {
        char version[32];
        char cluster_id[ETCD_ID_MAX]; /* to be compared only, as the next */
        char member_id[ETCD_ID_MAX];
        bool has_leader;
        uint64_t raft_index, raft_applied_index; /* 0: not said */
} EtcdStatus;

/* One of a cluster, as the cluster knows it. */
typedef struct EtcdMember {
        char id[ETCD_ID_MAX];
        char name[64]; /* printable */
        TextList peer_urls, client_urls;
        bool learner; /* it has no vote */
} EtcdMember;

typedef struct EtcdMembers {
        EtcdMember *members;
        size_t n_members;
} EtcdMembers;

int etcd_range_build(const EtcdRangeRequest *request, char **ret) _must_check_;
int etcd_txn_build(const EtcdTxnRequest *request, char **ret) _must_check_;
/* Of key, or of all keys from it on and before end. */
int etcd_watch_build(const char *key, const char *end, int64_t start_revision,
                     char **ret) _must_check_;
int etcd_authenticate_build(const char *user, const char *password, char **ret) _must_check_;
int etcd_lease_grant_build(int64_t seconds, char **ret) _must_check_;
int etcd_lease_build(int64_t lease, char **ret) _must_check_; /* for keepalive and revoke */

/* All of these: -EBADMSG for an answer that is none to that request, and nothing to free then. */
int etcd_range_parse(const char *body, size_t size, EtcdRange *ret,
                     int64_t *ret_revision) _must_check_;
int etcd_txn_parse(const char *body, size_t size, const EtcdTxnRequest *request,
                   EtcdTxn *ret) _must_check_;
int etcd_watch_line_parse(const char *line, size_t size, EtcdWatchLine *ret) _must_check_;
int etcd_token_parse(const char *body, size_t size, char **ret) _must_check_;
int etcd_lease_parse(const char *body, size_t size, int64_t *ret) _must_check_;
int etcd_status_parse(const char *body, size_t size, EtcdStatus *ret) _must_check_;
int etcd_members_parse(const char *body, size_t size, EtcdMembers *ret) _must_check_;
/* *ret_seconds is 0 when the lease is gone. */
int etcd_keepalive_parse(const char *body, size_t size, int64_t *ret_seconds) _must_check_;

/* What an error answer says, in one printable line: its "message" in either shape of the gateway,
 * or the text itself. */
void etcd_error_text(const char *body, size_t size, char why[static ETCD_WHY_MAX]);

void etcd_members_done(EtcdMembers *members);
/* *ret is nothing yet, and the caller's then. */
int etcd_range_copy(const EtcdRange *range, EtcdRange *ret) _must_check_;

void etcd_key_done(EtcdKey *key);
void etcd_range_done(EtcdRange *range);
void etcd_txn_done(EtcdTxn *txn);
void etcd_watch_line_done(EtcdWatchLine *line);
