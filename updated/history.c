#include "history.h"
#include "base/buffer.h"
#include "base/io.h"
#include "base/text.h"

#define HISTORY_FILE_MAX (HISTORY_MAX * (2 * HISTORY_TEXT_MAX + 256)) /* 256: the numbers */
#define HISTORY_MODE     0644                                         /* nothing in it is secret */

static const char *const history_outcome_table[_HISTORY_OUTCOME_MAX] = {
        [HISTORY_STAGED] = "staged",
        [HISTORY_FAILED] = "failed",
        [HISTORY_CANCELLED] = "cancelled",
        [HISTORY_GOOD] = "good",
        [HISTORY_ILL] = "ill",
        [HISTORY_FELL_BACK] = "fell-back",
        [HISTORY_ROLLED_BACK] = "rolled-back",
        [HISTORY_PUT_OFF] = "put-off",
        [HISTORY_RESUMED] = "resumed",
};
DEFINE_STRING_TABLE(history_outcome, HistoryOutcome);

static void entry_done(HistoryEntry *entry)
{
        free(entry->version);
        free(entry->text);
        *entry = (HistoryEntry) {};
}

void history_done(History *history)
{
        for (size_t i = 0; i < history->n_entries; i++)
                entry_done(&history->entries[i]);
        history->n_entries = 0;
}

/* One plain line of at most HISTORY_TEXT_MAX bytes. */
static int text_copy(const char *text, char **ret)
{
        char *copy = strndup(text ? text : "", HISTORY_TEXT_MAX);

        if (!copy)
                return -ENOMEM;

        text_make_plain(copy);
        *ret = copy;
        return 0;
}

/* Copies from into a new last entry; the oldest goes when there is no room. */
static int history_push(History *history, const HistoryEntry *from)
{
        _cleanup_(entry_done) HistoryEntry entry = *from;
        int r;

        entry.version = entry.text = NULL;
        r = text_copy(from->version, &entry.version);
        if (r >= 0)
                r = text_copy(from->text, &entry.text);
        if (r < 0)
                return r;

        if (history->n_entries == HISTORY_MAX) {
                entry_done(&history->entries[0]);
                memmove(&history->entries[0], &history->entries[1],
                        (HISTORY_MAX - 1) * sizeof(HistoryEntry));
                history->n_entries--;
        }
        history->entries[history->n_entries++] = entry;
        entry = (HistoryEntry) {};
        return 0;
}

/* "WHEN<tab>OUTCOME<tab>COUNT<tab>CODE<tab>VERSION<tab>TEXT". The texts stay in line. */
static int line_parse(char *line, HistoryEntry *ret)
{
        char *fields[6];
        uint64_t code;

        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                fields[i] = strsep(&line, "\t");
                if (!fields[i])
                        return -EBADMSG;
        }
        *ret = (HistoryEntry) {
                .outcome = history_outcome_from_string(fields[1]),
                .version = fields[4],
                .text = fields[5],
        };
        if (line || ret->outcome < 0 || text_to_u64(fields[0], INT64_MAX, &ret->when) < 0
            || text_to_u64(fields[2], INT64_MAX, &ret->count) < 0
            || text_to_u64(fields[3], UINT32_MAX, &code) < 0)
                return -EBADMSG;

        ret->code = (uint32_t)code;
        return 0;
}

int history_parse(const char *text, History *ret)
{
        _cleanup_(history_done) History history = {};
        _cleanup_free_ char *copy = strdup(text);
        char *line, *rest = copy;

        if (!copy)
                return -ENOMEM;

        while ((line = strsep(&rest, "\n"))) {
                HistoryEntry entry;
                int r;

                if (line_parse(line, &entry) < 0)
                        continue;
                r = history_push(&history, &entry);
                if (r < 0)
                        return r;
        }

        *ret = history;
        history.n_entries = 0;
        return 0;
}

int history_print(const History *history, char **ret)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_MAX(HISTORY_FILE_MAX);

        for (size_t i = 0; i < history->n_entries; i++) {
                const HistoryEntry *entry = &history->entries[i];
                int r;

                r = buffer_appendf(
                        &text, "%llu\t%s\t%llu\t%u\t%s\t%s\n", (unsigned long long)entry->when,
                        history_outcome_to_string(entry->outcome), (unsigned long long)entry->count,
                        entry->code, entry->version, entry->text);
                if (r < 0)
                        return r;
        }

        return buffer_take_text(&text, ret, NULL);
}

int history_read(const char *root, History *ret)
{
        _cleanup_free_ char *text = NULL;
        int r;

        r = file_read(root, HISTORY_PATH, HISTORY_FILE_MAX, &text, NULL);
        if (r == -ENOMEM)
                return r;
        return history_parse(r < 0 ? "" : text, ret);
}

static bool entries_are_alike(const HistoryEntry *a, const HistoryEntry *b)
{
        return a->outcome == b->outcome && a->code == b->code && streq(a->version, b->version)
               && streq(a->text, b->text);
}

/* The last entry stands for both when they are alike. */
static void history_fold(History *history)
{
        HistoryEntry *last, *before;

        if (history->n_entries < 2)
                return;
        last = &history->entries[history->n_entries - 1];
        before = last - 1;
        if (!entries_are_alike(last, before))
                return;

        before->when = last->when;
        before->count += last->count;
        entry_done(last);
        history->n_entries--;
}

int history_add(const char *root, const HistoryEntry *entry)
{
        _cleanup_(history_done) History history = {};
        _cleanup_free_ char *text = NULL;
        int r;

        r = history_read(root, &history);
        if (r >= 0)
                r = history_push(&history, entry);
        if (r < 0)
                return r;
        history_fold(&history);
        r = history_print(&history, &text);
        if (r < 0)
                return r;

        return file_replace(root, HISTORY_PATH, text, strlen(text), HISTORY_MODE);
}
