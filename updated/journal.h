/*
 * The events that operators search for. Under systemd each goes to the journal with a MESSAGE_ID, whose entry in
 * units/sluice-update.catalog says what to do, and with fields; elsewhere it is a line of the log.
 */
#pragma once

#include "base/macros.h"

typedef enum JournalEvent {
        JOURNAL_CHECKED,     /* the server was asked and has nothing for us */
        JOURNAL_FOUND,       /* an update */
        JOURNAL_REFUSED,     /* an attempt failed; the message says why */
        JOURNAL_RESUMED,     /* a download goes on where it broke */
        JOURNAL_VERIFIED,    /* everything is written, signed, and reads back */
        JOURNAL_ACTIVATED,   /* the slot boots next */
        JOURNAL_GOOD,        /* the running slot is marked good */
        JOURNAL_ILL,         /* it runs, and was not found good */
        JOURNAL_ROLLED_BACK, /* the version before runs again, or will */
        _JOURNAL_EVENT_MAX,
} JournalEvent;

/* All borrowed; NULL: the field is left out. */
typedef struct JournalFields {
        const char *version; /* UPDATE_VERSION= */
        const char *stage;   /* UPDATE_STAGE=, a word as UPDATE_STATUS_DOWNLOADING */
        const char *slot;    /* SLOT=, "A" or "B" */
        const char *error;   /* UPDATE_ERROR=, a word of omaha-error.c */
} JournalFields;

/* 32 hexadecimal digits. */
const char *journal_message_id(JournalEvent event);

/* One entry of the journal, or one line of the log where there is none; format as printf(3) has it. */
void journal_tell(JournalEvent event, const JournalFields *fields, const char *format, ...)
        _printf_(3, 4);
