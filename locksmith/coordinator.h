/*
 * /run/update-engine/coordinator.conf: who coordinates reboots on this host, and how far that is.
 * The file is locked as long as its owner lives, so that there is never a second one
 * (spec/locksmith.md §3.2).
 */
#pragma once

#include "base/macros.h"

#define COORDINATOR_FILE "/run/update-engine/coordinator.conf"

typedef struct Coordinator {
        const char *root; /* borrowed */
        int fd;           /* holds the lock; -1 before */
} Coordinator;

/* -EWOULDBLOCK when another process is coordinator. */
int coordinator_become(const char *root, Coordinator *ret) _must_check_;

/*
 * Takes over from another stage of this process, which has the file open and locked: fd is ours then. -ESTALE when it is
 * not that file, -EWOULDBLOCK when somebody else has locked it.
 */
int coordinator_adopt(const char *root, int fd, Coordinator *ret) _must_check_;

/*
 * Replaces the file: NAME=locksmithd, STRATEGY, STATE, and the REASON of the state if it is not
 * empty. Login scripts source this file, so everything in the reason that a shell might act upon
 * becomes "_".
 */
int coordinator_write(Coordinator *coordinator, const char *strategy, const char *state,
                      const char *reason) _must_check_;

void coordinator_done(Coordinator *coordinator);
