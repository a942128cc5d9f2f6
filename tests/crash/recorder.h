/*
 * The table of operations that writes everything down which changes the media below a root, and lets one chosen
 * call fail. The real files change as well: the run itself notices nothing.
 */
#pragma once

#include "base/disk-io.h"

typedef enum RecordKind {
        RECORD_DATA,           /* bytes of a file; not durable before … */
        RECORD_SYNC_FILE,      /* … this */
        RECORD_NAME,           /* names change, at once; not durable before … */
        RECORD_SYNC_DIRECTORY, /* … this, of the directory that has them */
        RECORD_LOST,           /* an fsync failed, and the kernel dropped what was not written */
} RecordKind;

typedef struct Record {
        RecordKind kind;
        int file; /* number in the world; of a RECORD_NAME what add stands for, -1 for a directory */
        int opening;       /* which open(2) its descriptor came from */
        bool in_partition; /* of the disk: through a slot's device, which has a page cache of its own */
        uint64_t offset;
        size_t size;
        uint8_t *data, *before; /* of RECORD_DATA; before: what was there, of the disk only */
        char *add, *remove;     /* names, or NULL; of RECORD_SYNC_DIRECTORY the directory */
} Record;

typedef enum FailureKind {
        FAILURE_NONE,
        FAILURE_ERROR, /* the call returns error, and does nothing */
        FAILURE_SHORT, /* read and write calls do half of it */
        FAILURE_LOST, /* as FAILURE_ERROR; an fsync of the disk loses what it should have written */
        FAILURE_FLIP, /* one bit of what is written changes silently */
        FAILURE_KILL, /* the process dies before the call */
} FailureKind;

typedef struct Failure {
        FailureKind kind;
        int error;        /* -errno */
        unsigned long at; /* the call that fails, from 1 */
} Failure;

/* Begins with no records. Files of the root that exist are given numbers with recorder_know(). */
void recorder_begin(const char *root, const Failure *failure);
void recorder_know(const char *path, int file);

/* Back to the system calls. What was recorded stays until the next begin or recorder_done(). */
void recorder_end(void);
void recorder_done(void);

/* Hands the records over; records_free() them. */
Record *recorder_take(size_t *ret_n);
void records_free(Record *records, size_t n);

unsigned long recorder_calls(void);
const char *recorder_call(unsigned long n); /* its name, from 1: "pwrite"; "" behind the last */

/* A boot loader changed the disk, durably. */
void recorder_add_write(const char *path, const uint8_t *data,
                        size_t size);                       /* from its beginning */
void recorder_add_rename(const char *from, const char *to); /* was renamed */
void recorder_add_disk(uint64_t offset, const uint8_t *data, size_t size);
