/*
 * Is the version that runs a good one? Decided once at the start of the daemon, before anybody can ask it:
 * locksmithd gives the reboot lock back only when the answer is yes.
 */
#pragma once

#include "slots.h"

/*
 * Marks the running slot good when it is on trial. That the system came up far enough to run this daemon is
 * the whole test today. Returns 1 when it was marked, 0 when it was good before, or -errno.
 */
int health_confirm(Slots *slots) _must_check_;
