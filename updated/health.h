/*
 * Is the version that runs a good one? The decision, pure: what is known of this boot comes in as facts. And the mark
 * itself. locksmithd gives the reboot lock back only when the answer is yes.
 */
#pragma once

#include "base/string-table.h"
#include "slots.h"

/* What becomes of a version that is found ill (HEALTH_FAILURE=). */
typedef enum HealthFailure {
        HEALTH_FAILURE_WAIT,   /* it runs on; the next boot, whoever wants it, uses its tries up */
        HEALTH_FAILURE_REBOOT, /* back to the other slot at once */
        _HEALTH_FAILURE_MAX,
        _HEALTH_FAILURE_INVALID = -EINVAL,
} HealthFailure;

DECLARE_STRING_TABLE(health_failure, HealthFailure);

/* The target of systemd that stands for a boot that is complete. */
typedef enum HealthTarget {
        HEALTH_TARGET_NONE, /* not asked for, or there is no systemd */
        HEALTH_TARGET_WAITED_FOR,
        HEALTH_TARGET_REACHED,
        HEALTH_TARGET_FAILED, /* not within its time, or there is no such target */
} HealthTarget;

/* The administrator's checks. */
typedef enum HealthHooks {
        HEALTH_HOOKS_NOT_RUN,
        HEALTH_HOOKS_RUNNING,
        HEALTH_HOOKS_PASSED, /* all of them; also when there are none */
        HEALTH_HOOKS_FAILED,
} HealthHooks;

typedef struct HealthFacts {
        HealthTarget target;
        HealthHooks hooks;
        HealthFailure failure; /* what the administrator wants */
        bool way_back;         /* the other slot is good, and the boot loader can take it */
        bool went_back; /* this version was left before, at once: never twice, or it goes on for ever */
} HealthFacts;

typedef enum HealthAction {
        HEALTH_WAIT, /* for target or hooks */
        HEALTH_RUN_HOOKS,
        HEALTH_MARK_GOOD,
        HEALTH_STAY,    /* it is ill; the boot loader leaves it by itself */
        HEALTH_GO_BACK, /* it is ill, and the host reboots into the other slot */
} HealthAction;

/* What is to be done with a version on trial. */
HealthAction health_next(const HealthFacts *facts);

/* Does the boot loader take a good version when the running slot is left? */
bool health_has_way_back(const Slots *slots);

typedef enum HealthOutcome {
        HEALTH_UNCHANGED,   /* it was good before */
        HEALTH_MARKED_GOOD, /* it was on trial, and is good now */
        HEALTH_TABLE_MENDED, /* it was good before, but one copy of the partition table was damaged */
} HealthOutcome;

/* Marks the running slot good when it is on trial, and mends the partition table. Returns a HealthOutcome or -errno. */
int health_confirm(Slots *slots) _must_check_;
