/*
 * Tells what the reboot manager does, each change once: to the log, systemd, coordinator.conf and Prometheus. Both stages of
 * locksmithd tell it in the same words (stage.h).
 */
#pragma once

#include "coordinator.h"
#include "lock-metrics.h"
#include "strategy.h"

/* What a state may be kept up by. */
typedef enum StateWhy {
        STATE_WHY_LOCK,
        STATE_WHY_CLEARANCE,
        STATE_WHY_WINDOW,
        _STATE_WHY_MAX,
} StateWhy;

typedef struct StateTell {
        Coordinator coordinator;
        const char *metrics_file; /* borrowed; NULL: none is written */
        LockMetrics metrics;      /* with strategy and group; state is set here */
        char *said;               /* owned; what was told last */
} StateTell;

/* whys: a line for people each, or NULL. What can not be told is logged. */
void state_tell(StateTell *tell, Action action, const char *const whys[static _STATE_WHY_MAX]);

/* As if it were told already. */
int state_told(StateTell *tell, Action action) _must_check_;

void state_tell_done(StateTell *tell);
