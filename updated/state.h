/*
 * What survives a restart of the daemon and a reboot of the host: one file in /var/lib/updated, outside the
 * slots, replaced atomically, with a checksum in its last line.
 */
#pragma once

#include "base/macros.h"

#define STATE_PATH "/var/lib/updated/state"

/* All owned; NULL: nothing known. */
typedef struct State {
        char *aleph_version; /* the first version that ever ran here */
        char *previous_version; /* what ran before the update that the server was not told of yet; "": told */
        char *staged_version, *staged_sha256,
                *staged_size; /* of the payload that was written last */
        char *staged_boot_id; /* the boot in which that was: it is staged while this boot lasts */
        char *failed_version, *failed_sha256; /* what was staged and did not boot */
        char *left_version; /* that was found ill, and left at once by a reboot: not twice */
        char *version_a, *version_b; /* what is installed in the slots */
        char *staged_made;     /* when that payload was made, s since 1970, as it was signed */
        char *good_made;       /* the same of the payload that runs and is good */
        char *highest_version; /* the highest that was marked good: the high-water mark */
        char *trusted_time;    /* s since 1970: what was signed says that it is not earlier */
        char *paused;          /* not NULL: the schedule asks nobody */
        char *retries;         /* of what the server offers, see retries.h */
} State;

/* A file that is missing, unreadable, damaged or of another format gives an empty state; what is wrong is logged. */
int state_read(const char *root, State *ret) _must_check_;
int state_write(const char *root, const State *state) _must_check_;
void state_done(State *state);

/* Times are kept as text as well; 0: not known. */
uint64_t state_time(const char *text);
int state_set_time(char **target, uint64_t time) _must_check_;

/* The time is not before this: it never goes back. */
int state_trust_time(State *state, uint64_t time) _must_check_;

/* Where the version of slot "A" or "B" is kept, or NULL for another name. */
char **state_slot_version(State *state, const char *slot);

/* What was staged is not any more: no reboot is needed for it. */
void state_unstage(State *state);
