#include <stdio.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "base/journal-entry.h"
#include "base/log.h"
#include "base/text.h"

#define FIELDS_OWN 4 /* every entry has these */

/* The fields of one entry: texts that are freed together. */
typedef struct Entry {
        struct iovec fields[FIELDS_OWN + JOURNAL_ENTRY_FIELDS_MAX];
        int n_fields;
} Entry;

static void entry_done(Entry *entry)
{
        for (int i = 0; i < entry->n_fields; i++)
                free(entry->fields[i].iov_base);
}

/* A field without value, or without memory, is left out. */
static void entry_add(Entry *entry, const char *name, const char *value)
{
        char *text;

        if (!value || text_format(&text, "%s=%s", name, value) < 0)
                return;
        entry->fields[entry->n_fields++] =
                (struct iovec) { .iov_base = text, .iov_len = strlen(text) };
}

void journal_entry_send(int level, const char *message_id, const JournalEntryField *fields,
                        const char *message)
{
        bool journal = !is_empty(getenv("JOURNAL_STREAM"));
        _cleanup_(entry_done) Entry entry = {};
        char priority[DECIMAL_MAX];

        snprintf(priority, sizeof(priority), "%d", level);
        entry_add(&entry, "MESSAGE", message);
        entry_add(&entry, "MESSAGE_ID", message_id);
        entry_add(&entry, "PRIORITY", priority);
        entry_add(&entry, "SYSLOG_IDENTIFIER", log_program());
        for (size_t i = 0; i < JOURNAL_ENTRY_FIELDS_MAX && fields[i].name; i++)
                entry_add(&entry, fields[i].name, fields[i].value);
        if (!journal || sd_journal_sendv(entry.fields, entry.n_fields) < 0)
                log_full(level, "%s", message);
}
