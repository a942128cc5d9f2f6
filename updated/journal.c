#include <stdarg.h>

#include "base/journal-entry.h"
#include "base/log.h"
#include "base/text.h"
#include "journal.h"

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

void journal_tell(JournalEvent event, const JournalFields *fields, const char *format, ...)
{
        const JournalEntryField entry[] = {
                { "UPDATE_VERSION", fields->version },
                { "UPDATE_STAGE", fields->stage },
                { "SLOT", fields->slot },
                { "UPDATE_ERROR", fields->error },
                {},
        };
        _cleanup_free_ char *message = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = text_vformat(&message, format, arguments);
        va_end(arguments);
        if (r >= 0)
                journal_entry_send(journal_events[event].level, journal_events[event].id, entry,
                                   message);
}
