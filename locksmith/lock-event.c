#include <stdarg.h>

#include "base/journal-entry.h"
#include "base/log.h"
#include "base/text.h"
#include "lock-event.h"

static const struct {
        int level;
        const char *id;
} lock_events[_LOCK_EVENT_MAX] = {
        [LOCK_EVENT_DUE] = { LOG_NOTICE, "f14f44ce081d45418efffea65f5739c4" },
        [LOCK_EVENT_KEPT_BACK] = { LOG_NOTICE, "0d6ad48a77ca47b2b677c690ee373c60" },
        [LOCK_EVENT_TAKEN] = { LOG_NOTICE, "fc6b8d6e409949e09e68fd8a97b50382" },
        [LOCK_EVENT_REBOOTING] = { LOG_NOTICE, "b288c79fc12e4031aad2083961c17626" },
        [LOCK_EVENT_REFUSED] = { LOG_ERR, "831c9df5c0a44b4b81175dafbe1e93b8" },
        [LOCK_EVENT_RELEASED] = { LOG_NOTICE, "1a9eefb20b2e44a4883cf65bcd830964" },
        [LOCK_EVENT_BACK] = { LOG_NOTICE, "306fccbec04f4c8ea9c5bcd06ecdcf69" },
        [LOCK_EVENT_ILL] = { LOG_WARNING, "5c734740c75f469abe3e2a4f58b94531" },
        [LOCK_EVENT_LATE] = { LOG_WARNING, "5924bc75278f46cebd5c993511898ff7" },
};

const char *lock_event_message_id(LockEvent event)
{
        return lock_events[event].id;
}

void lock_event_tell(LockEvent event, const LockEventFields *fields, const char *format, ...)
{
        const JournalEntryField entry[] = {
                { "UPDATE_VERSION", is_empty(fields->version) ? NULL : fields->version },
                { "REBOOT_GROUP", is_empty(fields->group) ? NULL : fields->group },
                { "REBOOT_REASON", fields->reason },
                {},
        };
        _cleanup_free_ char *message = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = text_vformat(&message, format, arguments);
        va_end(arguments);
        if (r >= 0)
                journal_entry_send(lock_events[event].level, lock_events[event].id, entry, message);
}
