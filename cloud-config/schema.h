/*
 * Every key that we read, in one table: its place in the document, the variable it becomes, its check.
 * What this table does not name is somebody else's.
 */
#pragma once

#include "cloud-config/finding.h"
#include "cloud-config/yaml-tree.h"

/* Longer values are refused. */
#define VALUE_MAX     4096
#define VALUE_URL_MAX 2048

/* The stanzas below coreos: that we read. */
typedef enum Stanza {
        STANZA_UPDATE,
        STANZA_LOCKSMITH,
        STANZA_ETCD,
        STANZA_ETCD2,
        _STANZA_MAX,
} Stanza;

typedef enum KeyId {
        KEY_GROUP,
        KEY_REBOOT_STRATEGY,
        KEY_SERVER,

        KEY_ENDPOINT,
        KEY_ETCD_CAFILE,
        KEY_ETCD_CERTFILE,
        KEY_ETCD_KEYFILE,
        KEY_ETCD_USERNAME,
        KEY_ETCD_PASSWORD,
        KEY_LOCKSMITH_GROUP,
        KEY_WINDOW_START,
        KEY_WINDOW_LENGTH,

        /* Read only to find etcd for locksmithd. */
        KEY_ETCD_ADDR,
        KEY_ADVERTISE_CLIENT_URLS,
        _KEY_MAX,
} KeyId;

/* Where a value goes. */
typedef enum Output {
        OUTPUT_NONE,
        OUTPUT_UPDATE_CONF,
        OUTPUT_DROP_IN,
} Output;

/* A value under check. A check that refuses adds a finding. */
typedef struct Candidate {
        const struct Key *key;
        const char *path; /* "coreos.update.group" */
        const Node *node; /* as it was written */
        Place place;      /* where; findings go there */
        char *text; /* owned: what is checked, and what will be written; a check may replace it */
        Findings *findings;
        Severity severity; /* of a refusal: in a stanza that is not ours a warning does */
} Candidate;

typedef struct Key {
        Stanza stanza;
        const char *name; /* as we spell it, with "-" */
        Output output;
        const char *variable; /* what it becomes; NULL with OUTPUT_NONE */
        const char *stronger; /* a variable that locksmithd believes before this one, or NULL */
        const char *fallback; /* what the daemons do when nobody says anything, or NULL */
        bool secret;          /* never shown */
        int (*check)(Candidate *candidate); /* 0, -EBADMSG after a finding, or -ENOMEM */
} Key;

extern const Key keys[_KEY_MAX];

/* "update", "locksmith", … */
const char *stanza_to_string(Stanza stanza);

/* True when the document says with a tag that this is a boolean ("!!bool off"). */
bool node_is_boolean(const Node *node);

/* True when two keys are the same word: "-" and "_" are alike, everything else counts. */
bool key_is(const Node *node, const char *name);
