#include <limits.h>
#include <stddef.h>
#include <stdio.h>

#include "handover.h"
#include "strategy.h"
#include "updated/client.h"

typedef enum WordType {
        WORD_FILE,   /* a descriptor; left out when it is -1 */
        WORD_TEXT,   /* left out when it is NULL */
        WORD_FLAG,   /* "yes", or left out */
        WORD_NUMBER, /* left out when it is 0 */
} WordType;

static bool is_strategy(const char *text)
{
        return strategy_from_string(text) >= 0;
}

static bool is_status(const char *text)
{
        return update_status_from_string(text) >= 0;
}

#define FIELD(_member) offsetof(Handover, _member)

static const struct {
        const char *name;
        WordType type;
        size_t offset;
        bool is_needed;
        bool (*is_valid)(const char *text); /* NULL: any text is */
} word_table[] = {
        { "coordinator", WORD_FILE, FIELD(coordinator), .is_needed = true },
        { "bus", WORD_FILE, FIELD(bus) },
        { "strategy", WORD_TEXT, FIELD(strategy), .is_needed = true, .is_valid = is_strategy },
        { "group", WORD_TEXT, FIELD(group) },
        { "metrics-file", WORD_TEXT, FIELD(metrics_file) },
        { "told-late", WORD_TEXT, FIELD(told_late) },
        { "took", WORD_NUMBER, FIELD(took) },
        { "asked", WORD_NUMBER, FIELD(n_asked) },
        { "refused", WORD_NUMBER, FIELD(n_refused) },
        { "window-open", WORD_FLAG, FIELD(window_open) },
        { "due", WORD_FLAG, FIELD(due) },
        { "to-version", WORD_TEXT, FIELD(to_version) },
        { "said", WORD_TEXT, FIELD(said), .is_valid = is_status },
        { "said-version", WORD_TEXT, FIELD(said_version) },
        { "lock", WORD_NUMBER, FIELD(lock) },
        { "lock-free", WORD_FLAG, FIELD(lock_free) },
        { "etcd-seen", WORD_FLAG, FIELD(etcd_seen) },
        { "host-name", WORD_TEXT, FIELD(host_name) },
        { "host-note", WORD_TEXT, FIELD(host_note) },
        { "host-is-new", WORD_FLAG, FIELD(host_is_new) },
        { "host-is-known", WORD_FLAG, FIELD(host_is_known) },
        { "hosts", WORD_NUMBER, FIELD(n_hosts) },
        { "fallback", WORD_TEXT, FIELD(fallback) },
};
static_assert(ELEMENTSOF(word_table) <= HANDOVER_WORDS_MAX, "a command line has no room for them");

/* The value as text; NULL: it is left out. */
static const char *value_format(const void *field, WordType type, char number[static DECIMAL_MAX])
{
        uint64_t n = 0;

        switch (type) {
        case WORD_TEXT:
                return *(char *const *)field;
        case WORD_FLAG:
                return *(const bool *)field ? "yes" : NULL;
        case WORD_FILE:
                if (*(const int *)field < 0)
                        return NULL;
                n = (uint64_t) * (const int *)field;
                break;
        case WORD_NUMBER:
                n = *(const uint64_t *)field;
                if (n == 0)
                        return NULL;
                break;
        }

        (void)snprintf(number, DECIMAL_MAX, "%llu", (unsigned long long)n); /* fits */
        return number;
}

int handover_format(const Handover *h, TextList *words)
{
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(word_table) && r >= 0; i++) {
                _cleanup_free_ char *word = NULL;
                char number[DECIMAL_MAX];
                const char *value = value_format((const char *)h + word_table[i].offset,
                                                 word_table[i].type, number);

                if (!value)
                        continue;
                if (strlen(value) > HANDOVER_TEXT_MAX)
                        return -E2BIG;
                r = text_format(&word, "%s=%s", word_table[i].name, value);
                if (r >= 0)
                        r = text_list_add(words, word);
        }
        return r;
}

static int value_parse(const char *value, size_t i, void *field)
{
        uint64_t n;
        int r;

        if (strlen(value) > HANDOVER_TEXT_MAX)
                return -EINVAL;

        switch (word_table[i].type) {
        case WORD_TEXT:
                if (word_table[i].is_valid && !word_table[i].is_valid(value))
                        return -EINVAL;
                return text_set(field, value);
        case WORD_FLAG:
                *(bool *)field = true;
                return streq(value, "yes") ? 0 : -EINVAL;
        case WORD_FILE:
                r = text_to_u64(value, INT_MAX, &n);
                *(int *)field = r < 0 ? -1 : (int)n;
                return r < 0 ? -EINVAL : 0;
        case WORD_NUMBER:
                return text_to_u64(value, UINT64_MAX, field) < 0 ? -EINVAL : 0;
        }
        return -EINVAL;
}

static int word_parse(const char *word, Handover *h, bool seen[static ELEMENTSOF(word_table)])
{
        for (size_t i = 0; i < ELEMENTSOF(word_table); i++) {
                const char *value = after_prefix(word, word_table[i].name);

                if (!value || *value != '=')
                        continue;
                if (seen[i])
                        return -EINVAL;
                seen[i] = true;
                return value_parse(value + 1, i, (char *)h + word_table[i].offset);
        }
        return -EINVAL;
}

int handover_parse(size_t n, char *const *words, Handover *ret, const char **ret_wrong)
{
        _cleanup_(handover_done) Handover h = HANDOVER_NONE;
        bool seen[ELEMENTSOF(word_table)] = {};
        int r;

        for (size_t i = 0; i < n; i++) {
                *ret_wrong = words[i];
                r = word_parse(words[i], &h, seen);
                if (r < 0)
                        return r;
        }

        for (size_t i = 0; i < ELEMENTSOF(word_table); i++) {
                *ret_wrong = word_table[i].name;
                if (word_table[i].is_needed && !seen[i])
                        return -EINVAL;
        }

        *ret = h;
        h = HANDOVER_NONE;
        return 0;
}

void handover_done(Handover *h)
{
        for (size_t i = 0; i < ELEMENTSOF(word_table); i++) {
                void *field = (char *)h + word_table[i].offset;

                if (word_table[i].type == WORD_TEXT)
                        text_clear(field);
        }
        *h = HANDOVER_NONE;
}
