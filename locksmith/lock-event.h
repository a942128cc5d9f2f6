/*
 * The events of locksmithd that operators search for: journal entries with a MESSAGE_ID, whose entry in
 * units/sluice-locksmith.catalog says what to do.
 */
#pragma once

#include "base/macros.h"

typedef enum LockEvent {
        LOCK_EVENT_DUE,       /* an update waits for a reboot */
        LOCK_EVENT_KEPT_BACK, /* somebody does not agree to it */
        LOCK_EVENT_TAKEN,     /* the lock is ours */
        LOCK_EVENT_REBOOTING, /* logind has accepted */
        LOCK_EVENT_REFUSED,   /* it has not */
        LOCK_EVENT_RELEASED,  /* the lock was given back */
        LOCK_EVENT_BACK,      /* a reboot is over, and the host is well */
        LOCK_EVENT_ILL,       /* it is over, and the host is not: the lock is kept */
        LOCK_EVENT_LATE,      /* another host went down and has not come back */
        _LOCK_EVENT_MAX,
} LockEvent;

/* All borrowed; NULL: the field is left out. */
typedef struct LockEventFields {
        const char *version; /* UPDATE_VERSION= */
        const char *group;   /* REBOOT_GROUP= */
        const char *reason;  /* REBOOT_REASON= */
} LockEventFields;

/* 32 hexadecimal digits. */
const char *lock_event_message_id(LockEvent event);

/* One entry of the journal, or one line of the log where there is none; format as printf(3) has it. */
void lock_event_tell(LockEvent event, const LockEventFields *fields, const char *format, ...)
        _printf_(3, 4);
