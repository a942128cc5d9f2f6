/*
 * One event for operators. Under systemd it goes to the journal with a MESSAGE_ID, whose catalog entry says what
 * to do, and with fields; elsewhere it is a line of the log. Which events there are is each daemon's business.
 */
#pragma once

#include "base/macros.h"

#define JOURNAL_ENTRY_FIELDS_MAX 8

/* Borrowed; without a value the field is left out. */
typedef struct JournalEntryField {
        const char *name, *value;
} JournalEntryField;

/* level as syslog has it, message_id 32 hexadecimal digits; fields end with one that has no name. */
void journal_entry_send(int level, const char *message_id, const JournalEntryField *fields,
                        const char *message);
