#include <stdarg.h>
#include <stdio.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "base/log.h"
#include "base/text.h"
#include "journal.h"

#define FIELDS_MAX 8

static const struct {
        int level;
        const char *id;
} journal_events[_JOURNAL_EVENT_MAX] = {
        [JOURNAL_CHECKED] = { LOG_INFO, "b0e75a69fbd4455abcc547a1afc89236" },
        [JOURNAL_FOUND] = { LOG_NOTICE, "02ac368fabc3499f8e954713b1d35783" },
        [JOURNAL_REFUSED] = { LOG_ERR, "a3655f18a8ea4d64bcbdae6240ecea16" },
        [JOURNAL_RESUMED] = { LOG_INFO, "962df070fc69430b9455d0393411fb1b" },
        [JOURNAL_VERIFIED] = { LOG_INFO, "8b3d06542f5b4819966fb805d1670fc1" },
        [JOURNAL_ACTIVATED] = { LOG_NOTICE, "089e7357ac234775a00768361647ec9b" },
        [JOURNAL_GOOD] = { LOG_NOTICE, "544bbc4315c044bd80cea6c55aa8e08a" },
        [JOURNAL_ILL] = { LOG_ERR, "98828725fe46472ba36626b557ce4f56" },
        [JOURNAL_ROLLED_BACK] = { LOG_WARNING, "9643482eed74453c933375c8f3c59d1b" },
};

const char *journal_message_id(JournalEvent event)
{
        return journal_events[event].id;
}

/* The fields of one entry: texts that are freed together. */
typedef struct Entry {
        struct iovec fields[FIELDS_MAX];
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

static int journal_send(JournalEvent event, const JournalFields *fields, const char *message)
{
        _cleanup_(entry_done) Entry entry = {};
        char priority[DECIMAL_MAX];

        snprintf(priority, sizeof(priority), "%d", journal_events[event].level);
        entry_add(&entry, "MESSAGE", message);
        entry_add(&entry, "MESSAGE_ID", journal_events[event].id);
        entry_add(&entry, "PRIORITY", priority);
        entry_add(&entry, "SYSLOG_IDENTIFIER", log_program());
        entry_add(&entry, "UPDATE_VERSION", fields->version);
        entry_add(&entry, "UPDATE_STAGE", fields->stage);
        entry_add(&entry, "SLOT", fields->slot);
        entry_add(&entry, "UPDATE_ERROR", fields->error);
        return sd_journal_sendv(entry.fields, entry.n_fields);
}

void journal_tell(JournalEvent event, const JournalFields *fields, const char *format, ...)
{
        bool journal = !is_empty(getenv("JOURNAL_STREAM"));
        _cleanup_free_ char *message = NULL;
        va_list arguments;

        va_start(arguments, format);
        (void)text_vformat(&message, format, arguments);
        va_end(arguments);
        if (!message)
                return;
        if (!journal || journal_send(event, fields, message) < 0)
                log_full(journal_events[event].level, "%s", message);
}
