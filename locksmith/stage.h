/*
 * The two stages of locksmithd: one process, which is another program by turns. "locksmithd" works; as soon as nothing is
 * left to do it replaces itself by "locksmithd-idle", which waits for an update without the libraries that the work
 * needs, and is replaced by "locksmithd" in turn. What they know of each other is in handover.h.
 *
 * Process id, environment, and the lock of coordinator.conf go on. SIGTERM and SIGINT stay blocked (base/bus.h): one that
 * comes in between is there still when the next event loop looks.
 */
#pragma once

#include "handover.h"

typedef enum Stage {
        STAGE_WORK,
        STAGE_IDLE,
        _STAGE_MAX,
} Stage;

typedef struct StageOptions {
        const char *root; /* or NULL */
        bool debug;
} StageOptions;

/*
 * Becomes the other one. Comes back only after a failure: -errno, and everything is as it was; *ret_program is what was
 * tried then, the caller frees it.
 */
int stage_enter(Stage stage, const StageOptions *options, const Handover *handover,
                char **ret_program) _must_check_;
