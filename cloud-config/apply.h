/*
 * Carries a plan out: files first, all or none, then the units.
 */
#pragma once

#include "base/time-util.h"
#include "cloud-config/plan.h"
#include "cloud-config/units.h"

/*
 * Writes the files of the plan and sets or removes the mask. remember: the unit steps are kept in the state file
 * until apply_finish() says that they are done. Returns 0, or -errno with *ret_path, the file in question (owned).
 */
int apply_files(const char *root, const Plan *plan, bool remember, char **ret_path) _must_check_;

/* Records which unit steps are left (0: none). */
int apply_finish(const char *root, Plan *plan, unsigned pending) _must_check_;
