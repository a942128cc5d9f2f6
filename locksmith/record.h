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

/* Has a host that went down not come back within limit (0: it has all the time of the world)? */
bool record_is_late(const Record *record, usec_t now, usec_t limit);

void record_done(Record *record);
