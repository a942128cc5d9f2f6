#include <ctype.h>
#include <limits.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/io.h"
#include "base/text.h"
#include "bls.h"

#define NAME_PREFIX "sluice-"

static const char *const type_suffixes[] = {
        [BLS_TYPE_CONF] = ".conf",
        [BLS_TYPE_UKI] = ".efi",
};

/* 'A' or 'B' when the name begins as our entries do, and nothing else begins so. */
static char name_slot(const char *name)
{
        size_t n = strlen(NAME_PREFIX);
        char slot;

        if (strncasecmp(name, NAME_PREFIX, n) != 0)
                return 0;
        slot = (char)toupper((unsigned char)name[n]);
        return (slot == 'A' || slot == 'B') && !isalnum((unsigned char)name[n + 1]) ? slot : 0;
}

bool bls_name_is_of_slot(const char *name, char slot)
{
        const char *rest = after_prefix(name, TEMPORARY_PREFIX);

        return name_slot(rest ? rest : name) == slot;
}

/* Digits from *at on, at least one. */
static bool counter_take(const char *name, size_t end, size_t *at, unsigned *ret)
{
        unsigned value = 0;
        size_t begin = *at;

        for (; *at < end && isdigit((unsigned char)name[*at]) && value <= BLS_COUNTER_MAX; ++*at)
                value = value * 10 + (unsigned)(name[*at] - '0');
        *ret = value;
        return *at > begin && value <= BLS_COUNTER_MAX;
}

/* What is behind the last '+' is a counter, or belongs to the name. */
static void name_take_counter(const char *name, size_t end, BlsName *parsed)
{
        const char *plus = memrchr(name, '+', end);
        size_t at = plus ? (size_t)(plus - name) + 1 : end;
        unsigned left = 0, done = 0;

        parsed->stem = end;
        if (!plus || plus == name || !counter_take(name, end, &at, &left))
                return;
        if (at < end && name[at] == '-') {
                at++;
                if (!counter_take(name, end, &at, &done))
                        return;
        }
        if (at != end)
                return;

        parsed->stem = (size_t)(plus - name);
        parsed->counted = true;
        parsed->left = left;
        parsed->done = done;
}

int bls_name_parse(const char *name, BlsName *ret)
{
        size_t n = strlen(name);

        for (size_t i = 0; i < ELEMENTSOF(type_suffixes); i++) {
                size_t suffix = strlen(type_suffixes[i]);
                BlsName parsed = { .type = (BlsType)i, .slot = name_slot(name) };

                if (n <= suffix || strcasecmp(name + n - suffix, type_suffixes[i]) != 0
                    || name[0] == '.')
                        continue;
                name_take_counter(name, n - suffix, &parsed);
                *ret = parsed;
                return 0;
        }

        return -EINVAL;
}

int bls_name_print(const char *name, const BlsName *parsed, char **ret)
{
        const char *suffix = type_suffixes[parsed->type];
        int stem = (int)parsed->stem;

        if (!parsed->counted)
                return text_format(ret, "%.*s%s", stem, name, suffix);
        if (parsed->done == 0)
                return text_format(ret, "%.*s+%u%s", stem, name, parsed->left, suffix);
        return text_format(ret, "%.*s+%u-%u%s", stem, name, parsed->left, parsed->done, suffix);
}

void bls_entry_done(BlsEntry *entry)
{
        free(entry->file);
        free(entry->sort_key);
        free(entry->machine_id);
        free(entry->version);
        free(entry->kernel);
        *entry = (BlsEntry) {};
}

/* Cuts a line into its key and its value; false: it is empty or a comment. */
static bool line_split(char *line, char **ret_key, char **ret_value)
{
        char *key = text_strip(line), *value = key + strcspn(key, " \t");

        if (!*key || *key == '#')
                return false;
        if (*value)
                *value++ = 0;
        *ret_key = key;
        *ret_value = text_strip(value);
        return true;
}

int bls_entry_parse(char *text, BlsEntry *entry)
{
        const struct {
                const char *key;
                char **value;
        } keys[] = {
                { "sort-key", &entry->sort_key }, { "machine-id", &entry->machine_id },
                { "version", &entry->version },   { "linux", &entry->kernel },
                { "efi", &entry->kernel },
        };
        char *rest = text, *line;

        while ((line = strsep(&rest, "\n\r"))) {
                char *key, *value;
                int r = 0;

                if (!line_split(line, &key, &value))
                        continue;
                for (size_t i = 0; i < ELEMENTSOF(keys) && r >= 0; i++)
                        if (streq(keys[i].key, key) && *value)
                                r = text_set(keys[i].value, value);
                if (r < 0)
                        return r;
        }

        return entry->kernel ? 0 : -EBADMSG;
}

static int order(int64_t a, int64_t b)
{
        return a < b ? -1 : a > b;
}

/* What is not there comes before what is. */
static int text_order(const char *a, const char *b)
{
        if (!a || !b)
                return order(a != NULL, b != NULL);
        return order(strcmp(a, b), 0);
}

static bool is_version_letter(char c)
{
        return isalnum((unsigned char)c) || (c && strchr("~-^.", c));
}

static size_t run_of(const char *text, int (*belongs)(int c))
{
        size_t n = 0;

        while (belongs((unsigned char)text[n]))
                n++;
        return n;
}

static int digits_compare(const char **a, const char **b)
{
        int r = order(isdigit((unsigned char)**a) != 0, isdigit((unsigned char)**b) != 0);
        size_t n, m;

        if (r != 0)
                return r;
        *a += strspn(*a, "0");
        *b += strspn(*b, "0");
        n = run_of(*a, isdigit);
        m = run_of(*b, isdigit);
        r = n == m ? strncmp(*a, *b, n) : order((int64_t)n, (int64_t)m);
        *a += n;
        *b += m;
        return r;
}

static int letters_compare(const char **a, const char **b)
{
        size_t n = run_of(*a, isalpha), m = run_of(*b, isalpha);
        int r = strncmp(*a, *b, MIN_OF(n, m));

        if (r == 0)
                r = order((int64_t)n, (int64_t)m);
        *a += n;
        *b += m;
        return r;
}

/* A mark that only one of the two has makes it the older one; one that both have is skipped. */
static int mark_compare(const char **a, const char **b, char mark)
{
        bool in_a = **a == mark, in_b = **b == mark;

        if (in_a && in_b) {
                ++*a;
                ++*b;
        }
        return order(in_b, in_a);
}

static int version_part_compare(const char **a, const char **b)
{
        int r = 0;

        for (const char *mark = "-^."; *mark && r == 0; mark++)
                r = mark_compare(a, b, *mark);
        if (r != 0)
                return r;
        return isdigit((unsigned char)**a) || isdigit((unsigned char)**b) ? digits_compare(a, b)
                                                                          : letters_compare(a, b);
}

int bls_version_compare(const char *a, const char *b)
{
        int r = 0;

        if (is_empty(a) || is_empty(b))
                return order(!is_empty(a), !is_empty(b));
        while (r == 0) {
                while (*a && !is_version_letter(*a))
                        a++;
                while (*b && !is_version_letter(*b))
                        b++;
                r = mark_compare(&a, &b, '~');
                if (r != 0)
                        break;
                if (!*a || !*b)
                        return order(*a != 0, *b != 0);
                r = version_part_compare(&a, &b);
        }

        return order(r, 0);
}

/* Without the counter, as systemd-boot calls it. */
static int entry_id_compare(const BlsEntry *a, const BlsEntry *b)
{
        BlsName plain_a = a->name, plain_b = b->name;
        _cleanup_free_ char *id_a = NULL, *id_b = NULL;

        plain_a.counted = plain_b.counted = false;
        if (bls_name_print(a->file, &plain_a, &id_a) < 0
            || bls_name_print(b->file, &plain_b, &id_b) < 0)
                return 0; /* memory is short, and so is the menu */
        return bls_version_compare(id_a, id_b);
}

int bls_entry_compare(const BlsEntry *a, const BlsEntry *b)
{
        unsigned left_a = a->name.counted ? a->name.left : UINT_MAX,
                 left_b = b->name.counted ? b->name.left : UINT_MAX;
        int r;

        r = order(left_a == 0, left_b == 0); /* what was tried in vain comes last */
        if (r == 0)
                r = order(!a->sort_key, !b->sort_key);
        if (r == 0 && a->sort_key) {
                r = text_order(a->sort_key, b->sort_key);
                if (r == 0)
                        r = text_order(a->machine_id, b->machine_id);
                if (r == 0)
                        r = bls_version_compare(b->version, a->version);
        }
        if (r == 0)
                r = entry_id_compare(b, a);
        if (r == 0)
                r = order(left_b, left_a);
        return r != 0 ? r : order(a->name.done, b->name.done);
}

/* Copies options with the names of the one partition replaced by those of the other. */
static int options_change(const char *options, const BlsChange *change, Buffer *text, bool *changed)
{
        const char *const froms[] = { change->uuid_from, change->label_from };
        const char *const tos[] = { change->uuid_to, change->label_to };
        static const char *const keys[] = { "PARTUUID=", "PARTLABEL=" };
        int r = 0;

        while (*options && r >= 0) {
                size_t step = 1;

                for (size_t i = 0; i < ELEMENTSOF(keys) && step == 1; i++) {
                        size_t key = strlen(keys[i]), n = froms[i] ? strlen(froms[i]) : 0;

                        if (n == 0 || strncmp(options, keys[i], key) != 0
                            || strncasecmp(options + key, froms[i], n) != 0
                            || (options[key + n] && !isspace((unsigned char)options[key + n])
                                && options[key + n] != '/'))
                                continue;
                        r = buffer_appendf(text, "%s%s", keys[i], tos[i]);
                        step = key + n;
                        *changed = true;
                }
                if (step == 1)
                        r = buffer_append(text, options, 1);
                options += step;
        }

        return r;
}

/* Does a word name the hash of the one image that it fits: usrhash=, roothash=, verity.usrhash=? */
static bool options_name_image(const char *options)
{
        static const char *const keys[] = { "usrhash=", "roothash=", "verity.usrhash=" };

        while (*options) {
                options += strspn(options, " \t\"");
                for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                        if (after_prefix(options, keys[i]))
                                return true;
                options += strcspn(options, " \t");
        }

        return false;
}

typedef struct Changed {
        bool options, sort_key;
} Changed;

static int line_change(const char *line, const BlsChange *change, Buffer *text, Changed *changed)
{
        _cleanup_free_ char *copy = strdup(line);
        char *key, *value;
        int r;

        if (!copy)
                return -ENOMEM;
        if (!line_split(copy, &key, &value) || streq(key, "version"))
                return 0; /* comments are about the other one */
        if (streq(key, "linux") || streq(key, "efi"))
                return buffer_appendf(text, "%s %s\n", key, change->kernel);
        if (streq(key, "options") && options_name_image(value))
                return -ESTALE;
        changed->sort_key |= streq(key, "sort-key");
        r = buffer_appendf(text, "%s ", key);
        if (r >= 0)
                r = streq(key, "options") ? options_change(value, change, text, &changed->options)
                                          : buffer_append_text(text, value);
        return r < 0 ? r : buffer_append_text(text, "\n");
}

int bls_entry_change(const char *text, const BlsChange *change, char **ret)
{
        _cleanup_(buffer_done) Buffer changed_text = BUFFER_MAX(BLS_ENTRY_MAX);
        _cleanup_free_ char *copy = strdup(text);
        char *rest = copy, *line;
        Changed changed = {};
        int r = 0;

        if (!copy)
                return -ENOMEM;
        while (r >= 0 && (line = strsep(&rest, "\n\r")))
                r = line_change(line, change, &changed_text, &changed);
        if (r >= 0 && !changed.sort_key) /* without one the version would not count */
                r = buffer_append_text(&changed_text, "sort-key sluice\n");
        if (r >= 0 && !is_empty(change->version))
                r = buffer_appendf(&changed_text, "version %s\n", change->version);
        if (r < 0)
                return r;
        if (!changed.options)
                return -ENOTUNIQ;

        return buffer_take_text(&changed_text, ret, NULL);
}
