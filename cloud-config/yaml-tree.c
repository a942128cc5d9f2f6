#include <yaml.h>

#include "cloud-config/characters.h"
#include "cloud-config/yaml-tree.h"

/*
 * An arena: nodes are many and small, and all of them die together.
 */

#define CHUNK_SIZE (64 * KIB)

typedef struct Chunk {
        struct Chunk *next;
        size_t used, size;
        max_align_t data[];
} Chunk;

static void *tree_allocate(Tree *tree, size_t size)
{
        Chunk *chunk = tree->chunks;
        void *memory;

        size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
        if (!chunk || chunk->size - chunk->used < size) {
                size_t capacity = MAX_OF(size, (size_t)CHUNK_SIZE);

                chunk = malloc(sizeof(Chunk) + capacity);
                if (!chunk)
                        return NULL;
                *chunk = (Chunk) { .next = tree->chunks, .size = capacity };
                tree->chunks = chunk;
        }

        memory = (char *)chunk->data + chunk->used;
        chunk->used += size;
        return memory;
}

static char *tree_copy(Tree *tree, const void *data, size_t size)
{
        char *copy = tree_allocate(tree, size + 1);

        if (!copy)
                return NULL;

        memcpy(copy, data, size);
        copy[size] = 0;
        return copy;
}

void tree_done(Tree *tree)
{
        while (tree->chunks) {
                Chunk *next = tree->chunks->next;

                free(tree->chunks);
                tree->chunks = next;
        }
        *tree = (Tree) {};
}

/*
 * From events to nodes.
 */

typedef struct Anchor {
        const char *name;
        Node *node;
} Anchor;

/* A sequence or mapping that is being filled. */
typedef struct Level {
        Node *node;
        Node *key;    /* of a mapping: read, its value is still to come */
        Entry **tail; /* where the next entry goes */
} Level;

typedef struct Builder {
        yaml_parser_t parser;
        const char *text;
        size_t size;
        unsigned part;
        Findings *findings;
        Tree tree;
        Level levels[YAML_DEPTH_MAX];
        unsigned depth;
        Anchor *anchors; /* owned */
        size_t n_anchors;
        unsigned n_aliases, n_documents;
} Builder;

static void builder_done(Builder *builder)
{
        yaml_parser_delete(&builder->parser);
        tree_done(&builder->tree);
        free(builder->anchors);
}

/* The characters of the line in which a construct begins. */
static Place builder_place(const Builder *builder, yaml_mark_t start, yaml_mark_t end)
{
        unsigned width = 1;

        if (end.line == start.line && end.column > start.column)
                width = (unsigned)(end.column - start.column);
        return (Place) { builder->part, (unsigned)start.line + 1, (unsigned)start.column + 1, width,
                         false };
}

static int builder_refuse(Builder *builder, Place place, const char *hint, const char *text)
{
        finding_add(builder->findings, SEVERITY_ERROR, place, NULL, hint, "%s", text);
        return -EBADMSG;
}

/* What libyaml says, what people understand, and what to do. */
typedef struct Problem {
        const char *problem, *text, *hint;
        bool at_start; /* the place to look at is where the construct began */
} Problem;

static const Problem problems[] = {
        { "found character that cannot start any token",
          "a value can not begin with this character", "put the value in quotes", false },
        { "did not find expected key",
          "this line is not indented like the ones it belongs to, or a key is missing",
          "keys of one mapping begin in the same column", false },
        { "did not find expected '-' indicator",
          "this line is not indented like the list it belongs to",
          "items of one list begin in the same column", false },
        { "did not find expected ',' or ']'", "this \"[\" is never closed", "add \"]\"", true },
        { "did not find expected ',' or '}'", "this \"{\" is never closed", "add \"}\"", true },
        { "found unexpected end of stream", "this quote is never closed", "add the closing quote",
          true },
        { "could not find expected ':'", "this is not \"key: value\"",
          "a key is followed by a colon and a blank", true },
        { "mapping values are not allowed in this context", "a second \": \" in one line",
          "put the value in quotes if it contains a colon and a blank", false },
        { "did not find expected <document start>", "text behind the end of the document",
          "one document only", false },
        { "did not find expected hexdecimal number", "broken escape sequence in a quoted text",
          "write a backslash as \\\\", false },
        { "found unknown escape character", "unknown escape sequence in a quoted text",
          "write a backslash as \\\\, or use single quotes", false },
        { "found undefined tag handle", "unknown tag", "remove the word that begins with \"!\"",
          false },
        { "found incompatible YAML document", "only YAML 1.1 and 1.2 can be read",
          "remove the line that begins with %YAML", false },
};

static const Problem *problem_find(const char *problem)
{
        for (size_t i = 0; i < ELEMENTSOF(problems); i++)
                if (streq(problems[i].problem, problem))
                        return &problems[i];

        return NULL;
}

/* True when the character there is a tab in front of everything else of its line. */
static bool is_indenting_tab(const Builder *builder, yaml_mark_t mark)
{
        LineCursor cursor = {};
        const char *line;
        size_t size;

        if (!characters_line(builder->text, builder->size, (unsigned)mark.line + 1, &cursor, &line,
                             &size)
            || mark.column >= size)
                return false;

        for (size_t i = 0; i < mark.column; i++)
                if (line[i] != ' ' && line[i] != '\t')
                        return false;
        return line[mark.column] == '\t';
}

/* Reports why libyaml stopped. */
static int builder_refuse_syntax(Builder *builder)
{
        const yaml_parser_t *parser = &builder->parser;
        yaml_mark_t mark = parser->problem_mark;
        const char *problem = parser->problem ? parser->problem : "it is not YAML";
        const Problem *known = problem_find(problem);
        bool at_start = known && known->at_start && parser->context;

        if (parser->error == YAML_MEMORY_ERROR)
                return -ENOMEM;
        if (parser->error == YAML_READER_ERROR)
                return builder_refuse(builder,
                                      characters_place(builder->text, builder->size,
                                                       parser->problem_offset, builder->part),
                                      NULL, problem);

        if (at_start)
                mark = parser->context_mark;
        if (known == &problems[0] && is_indenting_tab(builder, mark))
                return builder_refuse(builder, builder_place(builder, mark, mark),
                                      "indent with blanks", "a tab is used for indentation");

        return builder_refuse(builder, builder_place(builder, mark, mark),
                              known ? known->hint : NULL, known ? known->text : problem);
}

/* Hangs a complete value or the start of a container under its parent. */
static int builder_attach(Builder *builder, Node *node)
{
        Level *level = builder->depth > 0 ? &builder->levels[builder->depth - 1] : NULL;
        Entry *entry;

        if (!level) {
                builder->tree.root = node;
                return 0;
        }
        if (level->node->type == NODE_MAPPING && !level->key) {
                level->key = node;
                return 0;
        }

        entry = tree_allocate(&builder->tree, sizeof(Entry));
        if (!entry)
                return -ENOMEM;

        *entry = (Entry) { .key = level->key, .value = node };
        level->key = NULL;
        *level->tail = entry;
        level->tail = &entry->next;
        return 0;
}

static int builder_anchor(Builder *builder, const char *name, Node *node)
{
        Anchor *anchors;

        if (!name)
                return 0;
        if (builder->n_anchors >= YAML_ANCHORS_MAX)
                return builder_refuse(builder, node->place, NULL, "too many anchors (&)");

        anchors = reallocarray(builder->anchors, builder->n_anchors + 1, sizeof(Anchor));
        if (!anchors)
                return -ENOMEM;
        builder->anchors = anchors;

        name = tree_copy(&builder->tree, name, strlen(name));
        if (!name)
                return -ENOMEM;
        anchors[builder->n_anchors++] = (Anchor) { name, node };
        return 0;
}

/* Makes a node with what all kinds have in common, and attaches it. */
static int builder_add(Builder *builder, const yaml_event_t *event, NodeType type,
                       const yaml_char_t *anchor, const yaml_char_t *tag, Node **ret)
{
        Node *node = tree_allocate(&builder->tree, sizeof(Node));
        int r;

        if (!node)
                return -ENOMEM;

        *node = (Node) {
                .type = type,
                .place = builder_place(builder, event->start_mark, event->end_mark),
                .open = type != NODE_SCALAR,
        };
        if (tag) {
                node->tag = tree_copy(&builder->tree, tag, strlen((const char *)tag));
                if (!node->tag)
                        return -ENOMEM;
        }

        r = builder_anchor(builder, (const char *)anchor, node);
        if (r < 0)
                return r;

        *ret = node;
        return builder_attach(builder, node);
}

static int builder_scalar(Builder *builder, const yaml_event_t *event)
{
        Node *node;
        int r;

        r = builder_add(builder, event, NODE_SCALAR, event->data.scalar.anchor,
                        event->data.scalar.tag, &node);
        if (r < 0)
                return r;

        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        node->size = event->data.scalar.length;
        node->text = tree_copy(&builder->tree, event->data.scalar.value, node->size);
        return node->text ? 0 : -ENOMEM;
}

static int builder_open(Builder *builder, const yaml_event_t *event)
{
        bool mapping = event->type == YAML_MAPPING_START_EVENT;
        Node *node;
        int r;

        if (builder->depth >= YAML_DEPTH_MAX)
                return builder_refuse(builder,
                                      builder_place(builder, event->start_mark, event->end_mark),
                                      NULL, "nested too deeply: at most 64 levels are read");

        if (mapping)
                r = builder_add(builder, event, NODE_MAPPING, event->data.mapping_start.anchor,
                                event->data.mapping_start.tag, &node);
        else
                r = builder_add(builder, event, NODE_SEQUENCE, event->data.sequence_start.anchor,
                                event->data.sequence_start.tag, &node);
        if (r < 0)
                return r;

        builder->levels[builder->depth++] = (Level) { .node = node, .tail = &node->entries };
        return 0;
}

static int builder_alias(Builder *builder, const yaml_event_t *event)
{
        Place place = builder_place(builder, event->start_mark, event->end_mark);
        const char *name = (const char *)event->data.alias.anchor;

        if (++builder->n_aliases > YAML_ALIASES_MAX)
                return builder_refuse(builder, place, NULL, "too many aliases (*)");

        /* The last anchor of that name counts. */
        for (size_t i = builder->n_anchors; i > 0; i--) {
                const Anchor *anchor = &builder->anchors[i - 1];

                if (!streq(anchor->name, name))
                        continue;
                if (anchor->node->open)
                        return builder_refuse(builder, place, NULL,
                                              "this alias stands inside the value that it names");
                return builder_attach(builder, anchor->node);
        }

        return builder_refuse(builder, place, "an anchor (&) must come before its alias (*)",
                              "no anchor of that name");
}

static int builder_event(Builder *builder, const yaml_event_t *event)
{
        switch (event->type) {
        case YAML_DOCUMENT_START_EVENT:
                if (++builder->n_documents > 1)
                        return builder_refuse(
                                builder, builder_place(builder, event->start_mark, event->end_mark),
                                "everything behind it would be ignored: make it one document",
                                "a second document begins here");
                return 0;

        case YAML_SCALAR_EVENT:
                return builder_scalar(builder, event);

        case YAML_ALIAS_EVENT:
                return builder_alias(builder, event);

        case YAML_SEQUENCE_START_EVENT:
        case YAML_MAPPING_START_EVENT:
                return builder_open(builder, event);

        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
                assert(builder->depth > 0);
                builder->levels[--builder->depth].node->open = false;
                return 0;

        case YAML_NO_EVENT:
        case YAML_STREAM_START_EVENT:
        case YAML_STREAM_END_EVENT:
        case YAML_DOCUMENT_END_EVENT:
                return 0;
        }

        return 0;
}

static int builder_run(Builder *builder)
{
        bool done = false;
        int r;

        while (!done) {
                _cleanup_(yaml_event_delete) yaml_event_t event = {};

                if (!yaml_parser_parse(&builder->parser, &event))
                        return builder_refuse_syntax(builder);
                if (++builder->tree.n_events > YAML_EVENTS_MAX)
                        return builder_refuse(
                                builder, builder_place(builder, event.start_mark, event.end_mark),
                                NULL, "the document has too many keys and values");

                done = event.type == YAML_STREAM_END_EVENT;
                r = builder_event(builder, &event);
                if (r < 0)
                        return r;
        }

        return 0;
}

int tree_parse(const char *text, size_t size, unsigned part, Findings *findings, Tree *tree)
{
        _cleanup_(builder_done) Builder builder = {
                .text = text,
                .size = size,
                .part = part,
                .findings = findings,
                .tree.n_events = tree->n_events,
        };
        int r;

        r = characters_check(text, size, part, findings);
        if (r < 0)
                return r;

        if (!yaml_parser_initialize(&builder.parser))
                return -ENOMEM;
        yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&builder.parser, (const unsigned char *)text, size);

        r = builder_run(&builder);
        tree->n_events = builder.tree.n_events;
        if (r < 0)
                return r;

        *tree = builder.tree;
        builder.tree = (Tree) {};
        return 0;
}
