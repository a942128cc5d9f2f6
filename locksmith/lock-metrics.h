/*
 * A text file for Prometheus: what a fleet's operator wants to see of each host's reboots.
 */
#pragma once

#include "base/macros.h"

typedef struct LockMetrics {
        const char *strategy, *group, *state; /* borrowed; state as in coordinator.conf */
        bool due, window_open, lock_held;
        uint64_t due_since;          /* seconds since 1970; 0: nothing is due */
        uint64_t took;               /* seconds of the last reboot; 0: not known */
        uint64_t n_asked, n_refused; /* since the daemon started */
} LockMetrics;

int lock_metrics_print(const LockMetrics *metrics, char **ret) _must_check_;
