/*
 * What became of the last updates: one bounded durable file, a line for each, the newest last. Checks that found
 * nothing are not in it, or they would push out everything else within a day.
 */
#pragma once

#include "base/macros.h"
#include "base/string-table.h"

#define HISTORY_PATH     "/var/lib/updated/history"
#define HISTORY_MAX      32   /* then the oldest goes */
#define HISTORY_TEXT_MAX 1024 /* bytes of one version or sentence; longer ones are cut */

typedef enum HistoryOutcome {
        HISTORY_STAGED,      /* written and verified, boots next */
        HISTORY_FAILED,      /* nothing changed what boots */
        HISTORY_CANCELLED,   /* the same, because somebody wanted it */
        HISTORY_GOOD,        /* it runs, and is marked good */
        HISTORY_ILL,         /* it runs, and was not found good */
        HISTORY_FELL_BACK,   /* it did not boot, the version before runs again */
        HISTORY_ROLLED_BACK, /* somebody made the version before the next to boot */
        HISTORY_PUT_OFF,     /* it failed too often: not tried again for a while */
        HISTORY_RESUMED,     /* an interrupted update goes on where it was */
        _HISTORY_OUTCOME_MAX,
        _HISTORY_OUTCOME_INVALID = -EINVAL,
} HistoryOutcome;

DECLARE_STRING_TABLE(history_outcome, HistoryOutcome);

typedef struct HistoryEntry {
        uint64_t when;  /* seconds since 1970; of the last time */
        uint64_t count; /* how often the same happened, one after the other */
        HistoryOutcome outcome;
        uint32_t code; /* the Omaha number of HISTORY_FAILED, else 0 */
        char *version; /* "" when not known */
        char *text;    /* why; "" when there is nothing to say */
} HistoryEntry;

typedef struct History {
        HistoryEntry entries[HISTORY_MAX]; /* oldest first; all owned */
        size_t n_entries;
} History;

/* Never fails for what is in the text: lines that are damaged are passed over. -ENOMEM. */
int history_parse(const char *text, History *ret) _must_check_;
int history_print(const History *history, char **ret) _must_check_;
void history_done(History *history);

/* A file that is not there, or can not be read as text, is an empty history. */
int history_read(const char *root, History *ret) _must_check_;

/* Adds an entry (borrowed), durable on return. The same once more only counts: no failing server fills the file. */
int history_add(const char *root, const HistoryEntry *entry) _must_check_;
