/*
 * A YAML document as a tree, made from libyaml's events with every limit that a hostile document runs into.
 * Scalars keep the text that was written; nothing is resolved: "off" is three letters, "1.10" is four characters.
 */
#pragma once

#include "cloud-config/finding.h"

#define YAML_DEPTH_MAX   64
#define YAML_EVENTS_MAX  100000 /* libyaml takes 0.3 µs for each: more would be too slow */
#define YAML_ANCHORS_MAX 1000
#define YAML_ALIASES_MAX 1000

typedef enum NodeType {
        NODE_SCALAR,
        NODE_SEQUENCE,
        NODE_MAPPING,
} NodeType;

typedef struct Node Node;

/* An item of a sequence (no key) or of a mapping. Nodes may be shared through aliases, entries never are. */
typedef struct Entry {
        Node *key; /* NULL in a sequence */
        Node *value;
        struct Entry *next;
} Entry;

struct Node {
        NodeType type;
        Place place;
        bool plain;       /* a scalar without quotes */
        bool open;        /* still being read: an alias to it would contain itself */
        const char *tag;  /* as expanded by libyaml, or NULL when none was written */
        const char *text; /* of a scalar; a NUL follows, and NULs may be inside */
        size_t size;
        Entry *entries; /* of a sequence or mapping, in order */
};

typedef struct Tree {
        Node *root;           /* NULL for an empty document */
        struct Chunk *chunks; /* all memory of the tree */
        unsigned n_events;    /* libyaml's, against YAML_EVENTS_MAX */
} Tree;

/*
 * Parses one document into an empty tree, or one that has the n_events of the parts before: all parts of a document
 * share one budget, and n_events is set in any case. Returns 0, -EBADMSG when it is refused (a finding says why), or -ENOMEM.
 * The text may go away, the tree lives until tree_done().
 */
int tree_parse(const char *text, size_t size, unsigned part, Findings *findings,
               Tree *tree) _must_check_;

void tree_done(Tree *tree);
