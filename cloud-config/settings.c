#include <stdio.h>

#include "base/buffer.h"
#include "base/text.h"
#include "cloud-config/characters.h"
#include "cloud-config/settings.h"

/* Entries of merged mappings ("<<") that are looked at in one document. */
#define MERGE_ENTRIES_MAX 1000

/* The most names that one mapping of ours can have. */
#define NAMES_MAX _KEY_MAX

typedef struct Reader {
        Settings *settings;
        const Addresses *addresses;
        Findings *findings;
        unsigned n_merged;
} Reader;

/* What was found under a name: where its key stands, and its value. */
typedef struct Slot {
        const Node *key; /* NULL: nothing */
        const Node *value;
        bool merged; /* from "<<": an explicit key wins */
} Slot;

/* A mapping of ours: the names that we look for and what to say about others. */
typedef struct Level {
        const char *path; /* "coreos.update" */
        const char *names[NAMES_MAX];
        size_t n_names;
        int (*unknown)(Reader *reader, const struct Level *level, const Node *key);
} Level;

void settings_done(Settings *settings)
{
        for (size_t i = 0; i < _KEY_MAX; i++)
                free(settings->items[i].value);
        *settings = (Settings) {};
}

bool settings_are_empty(const Settings *settings)
{
        for (size_t i = 0; i < _KEY_MAX; i++)
                if (settings->items[i].value && keys[i].output != OUTPUT_NONE)
                        return false;
        return true;
}

static const char *type_name(NodeType type)
{
        return type == NODE_SCALAR ? "text" : type == NODE_SEQUENCE ? "a list" : "a mapping";
}

static bool is_null(const Node *node)
{
        static const char *const words[] = { "", "~", "null", "Null", "NULL" };

        if (node->type != NODE_SCALAR || !node->plain || node->tag)
                return false;
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (streq(node->text, words[i]) && node->size == strlen(words[i]))
                        return true;
        return false;
}

/*
 * Mappings: known names to slots, merges resolved, everything else reported.
 */

static Slot *slot_find(const Level *level, Slot *slots, const Node *key)
{
        for (size_t i = 0; i < level->n_names; i++)
                if (key_is(key, level->names[i]))
                        return &slots[i];

        return NULL;
}

static void slot_fill(Reader *reader, const Level *level, Slot *slot, const char *name,
                      const Entry *entry)
{
        if (!slot->key) {
                *slot = (Slot) { .key = entry->key, .value = entry->value };
                return;
        }

        finding_add(reader->findings, SEVERITY_ERROR, entry->key->place, level->path,
                    "keep one of the two", "\"%s\" is here a second time, the first is in line %u",
                    name, slot->key->place.line);
}

static void mapping_merge(Reader *reader, const Level *level, const Node *source, Place place,
                          Slot *slots);

/* Takes over what a merged mapping has and nobody nearer has. */
static void mapping_merge_entries(Reader *reader, const Level *level, const Node *source,
                                  Slot *slots)
{
        for (const Entry *e = source->entries; e; e = e->next) {
                Slot *slot = slot_find(level, slots, e->key);

                if (++reader->n_merged > MERGE_ENTRIES_MAX)
                        return;
                if (slot && !slot->key)
                        *slot = (Slot) { .key = e->key, .value = e->value };
        }
        for (const Entry *e = source->entries; e; e = e->next)
                if (key_is(e->key, "<<") && e->key->plain)
                        mapping_merge(reader, level, e->value, e->key->place, slots);
}

/* source: what stands behind "<<:", a mapping or a list of them, the first of which wins. */
static void mapping_merge(Reader *reader, const Level *level, const Node *source, Place place,
                          Slot *slots)
{
        if (reader->n_merged > MERGE_ENTRIES_MAX)
                return;

        if (source->type == NODE_SCALAR)
                finding_add(reader->findings, SEVERITY_ERROR, place, level->path, NULL,
                            "\"<<\" wants a mapping to merge, not text");
        if (source->type == NODE_MAPPING)
                mapping_merge_entries(reader, level, source, slots);
        for (const Entry *e = source->entries; source->type == NODE_SEQUENCE && e; e = e->next)
                if (e->value->type == NODE_MAPPING)
                        mapping_merge_entries(reader, level, e->value, slots);
}

static int mapping_read(Reader *reader, const Level *level, const Node *mapping, Slot *slots)
{
        int r;

        for (const Entry *e = mapping->entries; e; e = e->next) {
                Slot *slot = slot_find(level, slots, e->key);

                if (slot)
                        slot_fill(reader, level, slot, level->names[slot - slots], e);
                if (slot || (key_is(e->key, "<<") && e->key->plain))
                        continue;
                r = level->unknown(reader, level, e->key);
                if (r < 0)
                        return r;
        }
        for (const Entry *e = mapping->entries; e; e = e->next)
                if (key_is(e->key, "<<") && e->key->plain)
                        mapping_merge(reader, level, e->value, e->key->place, slots);

        if (reader->n_merged > MERGE_ENTRIES_MAX)
                finding_add(reader->findings, SEVERITY_ERROR, mapping->place, level->path, NULL,
                            "too many keys are merged with \"<<\"");
        return 0;
}

/* Reads value as a mapping. Returns 1, or 0 when there is nothing in it (after a finding, unless null). */
static int mapping_open(Reader *reader, const char *path, const Node *value, Severity severity)
{
        if (value->type == NODE_MAPPING)
                return 1;
        if (!is_null(value))
                finding_add(reader->findings, severity, value->place, path,
                            "write \"key: value\" lines, indented, with a blank after the colon",
                            "this must be a mapping, not %s", type_name(value->type));
        return 0;
}

/*
 * Keys that we do not know.
 */

/* The key with "_" as "-", for messages and comparisons; NULL when it is no text to speak of. */
static int key_fold(const Node *key, char **ret)
{
        char *text = NULL;

        if (key->type == NODE_SCALAR && key->size == strlen(key->text)
            && !characters_have_control(key->text, key->size)) {
                text = strdup(key->text);
                if (!text)
                        return -ENOMEM;
        }
        for (char *p = text; p && *p; p++)
                if (*p == '_')
                        *p = '-';

        *ret = text;
        return 0;
}

static int unknown_ignore(_unused_ Reader *reader, _unused_ const Level *level,
                          _unused_ const Node *key)
{
        return 0;
}

/* At the top only what was surely meant for us is worth a word. */
static int unknown_at_top(Reader *reader, const Level *level, const Node *key)
{
        if (key_is(key, "update") || key_is(key, "locksmith"))
                finding_add(reader->findings, SEVERITY_WARNING, key->place, NULL,
                            "indent it below a line \"coreos:\"",
                            "\"%s\" is ignored here, it belongs under \"coreos\"", key->text);
        else if (key->type == NODE_SCALAR && text_nearest(key->text, level->names, level->n_names))
                finding_add(reader->findings, SEVERITY_WARNING, key->place, NULL, NULL,
                            "unknown key \"%s\", did you mean \"coreos\"?", key->text);
        return 0;
}

/* "known here: group, server", or NULL when there is no memory for a hint. */
static char *names_hint(const Level *level)
{
        Buffer buffer = BUFFER_MAX(VALUE_MAX);
        char *hint = NULL;
        int r = 0;

        for (size_t i = 0; i < level->n_names && r >= 0; i++)
                r = buffer_appendf(&buffer, "%s%s", i == 0 ? "known here: " : ", ",
                                   level->names[i]);
        if (r >= 0)
                r = buffer_take_text(&buffer, &hint, NULL);
        buffer_done(&buffer);
        return r < 0 ? NULL : hint;
}

static void unknown_report(Reader *reader, const Level *level, const Node *key, const char *word)
{
        const char *nearest = text_nearest(word, level->names, level->n_names);
        bool strategy = nearest && streq(nearest, keys[KEY_REBOOT_STRATEGY].name);
        _cleanup_free_ char *hint =
                nearest || findings_are_full(reader->findings) ? NULL : names_hint(level);

        /* A misspelt reboot-strategy reboots a host whose owner said off. */
        if (nearest)
                finding_add(reader->findings, strategy ? SEVERITY_ERROR : SEVERITY_WARNING,
                            key->place, level->path, NULL,
                            "unknown key \"%s\", did you mean \"%s\"?", key->text, nearest);
        else
                finding_add(reader->findings, SEVERITY_WARNING, key->place, level->path, hint,
                            "unknown key \"%s\" is ignored", key->text);
}

/* A key of another stanza: true after a finding. */
static bool unknown_is_elsewhere(Reader *reader, const Level *level, const Node *key,
                                 const char *word)
{
        for (size_t i = 0; i < KEY_ETCD_ADDR; i++) {
                if (!streq(keys[i].name, word))
                        continue;
                finding_add(reader->findings,
                            i == KEY_REBOOT_STRATEGY ? SEVERITY_ERROR : SEVERITY_WARNING,
                            key->place, level->path, NULL, "\"%s\" belongs under coreos.%s",
                            key->text, stanza_to_string(keys[i].stanza));
                return true;
        }

        return false;
}

static int unknown_in_stanza(Reader *reader, const Level *level, const Node *key)
{
        _cleanup_free_ char *word = NULL;
        int r;

        r = key_fold(key, &word);
        if (r < 0)
                return r;

        if (!word)
                finding_add(reader->findings, SEVERITY_WARNING, key->place, level->path, NULL,
                            "a key that is not a word is ignored");
        else if (!unknown_is_elsewhere(reader, level, key, word))
                unknown_report(reader, level, key, word);
        return 0;
}

static int unknown_under_coreos(Reader *reader, const Level *level, const Node *key)
{
        static const char *const others[] = { "units", "fleet", "flannel", "oem" };

        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (key_is(key, others[i]))
                        return 0;
        return unknown_in_stanza(reader, level, key);
}

/*
 * Values.
 */

/* Returns 1 when the node has a text for us, 0 when it is empty (after a warning), -EBADMSG after a finding. */
static int value_open(Reader *reader, const Candidate *candidate)
{
        const Node *node = candidate->node;
        const char *why = NULL;

        if (node->type != NODE_SCALAR)
                why = "this must be text";
        else if (node->tag && !streq(node->tag, "tag:yaml.org,2002:str") && !streq(node->tag, "!")
                 && !(node_is_boolean(node) && candidate->key == &keys[KEY_REBOOT_STRATEGY]))
                why = "a tag (!) is not possible here";
        else if (characters_have_control(node->text, node->size))
                why = "there is a line break, tab or other control character in this value";
        else if (node->size > VALUE_MAX)
                why = "the value is longer than 4096 bytes";
        else if (is_null(node) || node->size == 0) {
                finding_add(reader->findings, SEVERITY_WARNING, candidate->place, candidate->path,
                            "remove the key to say nothing", "an empty value is ignored");
                return 0;
        } else if (node->text[0] == ' ' || node->text[node->size - 1] == ' ')
                why = "there is a blank at the beginning or end of this value";
        if (!why)
                return 1;

        finding_add(reader->findings, candidate->severity, candidate->place, candidate->path, NULL,
                    node->type == NODE_SCALAR ? "%s" : "%s, not %s", why, type_name(node->type));
        return -EBADMSG;
}

static int value_check(Reader *reader, Candidate *candidate)
{
        int r;

        r = value_open(reader, candidate);
        if (r <= 0)
                return r;

        r = addresses_substitute(reader->addresses, candidate->node->text, candidate->place,
                                 candidate->path, reader->findings, &candidate->text);
        if (r < 0)
                return r;

        r = candidate->key->check(candidate);
        return r < 0 ? r : 1;
}

static void setting_replace(Reader *reader, Setting *setting, const Candidate *candidate)
{
        if (setting->value)
                finding_add(reader->findings, SEVERITY_WARNING, candidate->place, candidate->path,
                            NULL, "this replaces the value of part %u", setting->place.part);
        free(setting->value);
        *setting = (Setting) { .place = candidate->place };
}

static int value_read(Reader *reader, const Key *key, const char *path, const Node *node)
{
        bool ours = key->output != OUTPUT_NONE;
        Setting *setting = &reader->settings->items[key - keys];
        Candidate candidate = {
                .key = key,
                .path = path,
                .node = node,
                .place = node->place,
                .findings = reader->findings,
                .severity = ours ? SEVERITY_ERROR : SEVERITY_WARNING,
        };
        int r;

        candidate.place.secret = key->secret;
        r = value_check(reader, &candidate);
        if (r != 0 && r != -ENOMEM)
                setting_replace(reader, setting, &candidate);
        if (r == 1)
                setting->value = TAKE_PTR(candidate.text);
        free(candidate.text);
        return r == -ENOMEM ? r : 0;
}

/*
 * The way down: document, coreos, stanza, key.
 */

/* Reads the values that the slots of a stanza hold; of_slot says which key each is for. */
static int slots_read(Reader *reader, const Level *level, const Slot *slots,
                      const Key *const *of_slot)
{
        for (size_t i = 0; i < level->n_names; i++) {
                _cleanup_free_ char *path = NULL;
                int r;

                if (!slots[i].key)
                        continue;
                if (text_format(&path, "%s.%s", level->path, level->names[i]) < 0)
                        return -ENOMEM;
                r = value_read(reader, of_slot[i], path, slots[i].value);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int stanza_read(Reader *reader, Stanza stanza, const Node *node)
{
        bool ours = stanza == STANZA_UPDATE || stanza == STANZA_LOCKSMITH;
        _cleanup_free_ char *path = NULL;
        Level level = { .unknown = ours ? unknown_in_stanza : unknown_ignore };
        const Key *of_slot[NAMES_MAX];
        Slot slots[NAMES_MAX] = {};
        int r;

        if (text_format(&path, "coreos.%s", stanza_to_string(stanza)) < 0)
                return -ENOMEM;
        if (!mapping_open(reader, path, node, ours ? SEVERITY_ERROR : SEVERITY_WARNING))
                return 0;

        level.path = path;
        for (const Key *key = keys; key < keys + _KEY_MAX; key++)
                if (key->stanza == stanza) {
                        of_slot[level.n_names] = key;
                        level.names[level.n_names++] = key->name;
                }
        r = mapping_read(reader, &level, node, slots);
        return r < 0 ? r : slots_read(reader, &level, slots, of_slot);
}

static int coreos_read(Reader *reader, const Node *node)
{
        Level level = { .path = "coreos", .unknown = unknown_under_coreos };
        Slot slots[NAMES_MAX] = {};
        int r;

        if (!mapping_open(reader, "coreos", node, SEVERITY_ERROR))
                return 0;

        for (Stanza stanza = 0; stanza < _STANZA_MAX; stanza++)
                level.names[level.n_names++] = stanza_to_string(stanza);
        r = mapping_read(reader, &level, node, slots);
        if (r < 0)
                return r;

        for (Stanza stanza = 0; stanza < _STANZA_MAX; stanza++) {
                if (!slots[stanza].key)
                        continue;
                if (stanza == STANZA_ETCD || stanza == STANZA_ETCD2)
                        finding_add(reader->findings, SEVERITY_NOTE, slots[stanza].key->place,
                                    "coreos", NULL,
                                    "\"%s\" is only read to find etcd for locksmithd",
                                    stanza_to_string(stanza));
                r = stanza_read(reader, stanza, slots[stanza].value);
                if (r < 0)
                        return r;
        }

        return 0;
}

int settings_read(Settings *settings, const Tree *tree, const Addresses *addresses,
                  Findings *findings)
{
        Reader reader = { .settings = settings, .addresses = addresses, .findings = findings };
        Level level = { .names = { "coreos" }, .n_names = 1, .unknown = unknown_at_top };
        Slot slots[1] = {};
        int r;

        if (!tree->root || !mapping_open(&reader, NULL, tree->root, SEVERITY_ERROR))
                return 0;

        r = mapping_read(&reader, &level, tree->root, slots);
        if (r < 0 || !slots[0].key)
                return r;

        return coreos_read(&reader, slots[0].value);
}
