/*
 * Is the version that runs a good one? Decided once at the start of the daemon, before anybody can ask it:
 * locksmithd gives the reboot lock back only when the answer is yes.
 */
#pragma once

#include "slots.h"

typedef enum HealthOutcome {
        HEALTH_UNCHANGED,   /* it was good before */
        HEALTH_MARKED_GOOD, /* it was on trial, and is good now */
        HEALTH_TABLE_MENDED, /* it was good before, but one copy of the partition table was damaged */
} HealthOutcome;

/*
 * Marks the running slot good when it is on trial, and mends the partition table. That the system came up far
 * enough to run this daemon is the whole test today. Returns a HealthOutcome or -errno.
 */
int health_confirm(Slots *slots) _must_check_;
