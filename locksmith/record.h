/*
 * What a host tells the others about itself, beside the lock it holds and beside its place in the
 * queue. The semaphore is the authority: a record without a holder means nothing, a holder without
 * a record is one that an old client has put there.
 */
#pragma once

#include "base/time-util.h"

#define RECORD_TEXT_MAX (4 * KIB)

/* Reasons of a host that goes down and is expected back; any other is somebody's work by hand. */
#define RECORD_REASON_UPDATE "update"
#define RECORD_REASON_REBOOT "locksmithctl reboot"

typedef struct Record {
        char *host;
        char *boot_id; /* of the boot in which it was written: another one now means "it has
                          rebooted" */
        char *reason;  /* why it wants to reboot, or who took the lock */
        char *from_version, *to_version;
        int64_t since; /* seconds since 1970, by the clock of that host; 0: not said */

        /*
         * Of a host that goes down: when (as since; 0: it has not), and for how many seconds there
         * are keys of etcd beside this record, so that nobody has to compare clocks. While the first
         * is there, the host is expected back; while the second is, nobody may free its slot. 0:
         * there is none.
         */
        int64_t departed, return_within, free_after;

        /* Of what is kept of a host when it gives the lock back: how long it had held it, in seconds. */
        int64_t held;
} Record;

/*
 * Describes this host: name, boot id and version are read below root; what is not there stays out.
 * to_version may be NULL.
 */
int record_of_host(const char *root, const char *reason, const char *to_version,
                   Record *ret) _must_check_;

/* JSON; the caller frees it. */
int record_format(const Record *record, char **ret) _must_check_;

/*
 * Reads a record that somebody wrote: -EBADMSG when it is none. Its texts can be shown as they are.
 * Absent texts are
 * "", so that nobody has to ask.
 */
int record_parse(const char *text, size_t size, Record *ret) _must_check_;

/* The same record with now as its "since"; -EBADMSG as above. */
int record_touch(const char *text, char **ret) _must_check_;

/* Has a host that went down not come back in time? away: the key that says that it still may is there. */
bool record_is_late(const Record *record, bool away);

/* And may its slot be freed? keep: the key that says that nobody may is there. */
bool record_is_gone(const Record *record, bool away, bool keep);

/*
 * Has an operator taken the lock in this boot, for a work of their own? That it is not over nobody can
 * know. A lock from before the boot, one of locksmithd itself, and one without a record (of an old
 * client) end with the boot. host is the host itself, as record_of_host() has it.
 */
bool record_is_by_hand(const Record *record, const Record *host);

/*
 * Did the host with this record come back into another version than it had wanted, namely the one
 * that it had? now is the host itself, as record_of_host() has it.
 */
bool record_is_fallback(const Record *record, const Record *now);

typedef struct json_t json_t;

/* The text of that name, made so that it can be shown; "" when it is absent, -EBADMSG when it is no
 * text. *ret is replaced. */
int record_text_read(const json_t *root, const char *name, char **ret) _must_check_;

void record_done(Record *record);
