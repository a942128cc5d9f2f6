/*
 * A text file for Prometheus (node_exporter's textfile collector): what a fleet's operator wants to see of each
 * host. Replaced as a whole, so that no collector reads half of it.
 */
#pragma once

#include "omaha-error.h"

typedef struct Metrics {
        uint64_t last_check;                  /* seconds since 1970, 0: not yet; an answered one */
        uint64_t last_success;                /* the same, of an attempt without failure */
        uint64_t failures[_UPDATE_ERROR_MAX]; /* since the daemon started */
        const char *version, *staged; /* borrowed; what runs, and what waits for its reboot or "" */
} Metrics;

int metrics_print(const Metrics *metrics, char **ret) _must_check_;
int metrics_write(const Metrics *metrics, const char *root, const char *path) _must_check_;
