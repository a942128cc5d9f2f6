/*
 * Unit actions, asked of systemd over its bus: only those of UnitSteps, only our own units.
 */
#pragma once

#include "cloud-config/state.h"

/* How long one job may take. */
#define UNITS_JOB_TIMEOUT_SEC 90

/* Called for each action: "restart" "locksmithd.service" and NULL, or what went wrong. */
typedef void (*UnitsReport)(const char *action, const char *unit, const char *problem,
                            void *userdata);

/*
 * Runs the steps in order: reload, stop, restarts. With wait, the result of each job is awaited; without, jobs are
 * only queued, as a unit must that is itself part of the boot. A unit that is not there or is masked is reported
 * and no failure. Returns 0, or -errno of the first failure; the others are tried all the same, and *ret_pending
 * are the steps that failed.
 */
int units_run(unsigned steps, bool wait, UnitsReport report, void *userdata,
              unsigned *ret_pending) _must_check_;

/* Reports the steps without doing anything: problem is NULL. */
void units_list(unsigned steps, UnitsReport report, void *userdata);
