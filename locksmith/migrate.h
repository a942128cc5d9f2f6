/*
 * Moving the lock of a group between the APIs of etcd, which keep their keys apart: what is there on
 * both sides, and what is to be done next. Pure. The order of the steps is what keeps it safe: the
 * side that the lock leaves is paused before anything is copied, and the other one is paused until
 * everything is there, so that at no moment two locks can be taken. Every step can be done twice, and
 * after a crash at any of them the next run goes on from what it finds.
 */
#pragma once

#include "pause.h"
#include "semaphore.h"

#define MIGRATE_REASON  "moved by locksmithctl migrate" /* a random number follows */
#define MIGRATE_WHY_MAX 512

/* What one API has of the group. */
typedef struct MigrateSide {
        const char *name; /* "v2", "v3" */
        bool exists;      /* there is a document */
        bool moved;       /* and a marker that the lock has left it */
        int64_t revision; /* of the document */
        Semaphore semaphore;
        char *pause_text; /* why it is paused, NULL when nobody says so */
        Pause pause;      /* the same, read */
} MigrateSide;

typedef enum MigrateStep {
        MIGRATE_PAUSE, /* the source: max 0, and what it was beside it */
        MIGRATE_COPY,  /* holders and pause to the destination */
        MIGRATE_MARK,  /* the source as left */
        MIGRATE_OPEN,  /* the destination: max as it was */
        MIGRATE_DONE,
        _MIGRATE_STEP_MAX,
} MigrateStep;

/*
 * What is next; the document that the step writes is in *ret (nothing yet, and the caller's then; of
 * MIGRATE_DONE that of the destination). -EBUSY with why when it would lose somebody, -ENOENT when
 * there is nothing to move.
 */
int migrate_next(const MigrateSide *from, const MigrateSide *to, Semaphore *ret,
                 char why[static MIGRATE_WHY_MAX]) _must_check_;

void migrate_side_done(MigrateSide *side);
