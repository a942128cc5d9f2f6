/*
 * The way from the command line to the daemon, and what to do when it is blocked.
 */
#pragma once

#include <systemd/sd-bus.h>

#include "base/macros.h"

/* Connects to the system bus; what fails is logged, with a hint. */
int client_open(sd_bus **ret) _must_check_;

/* Logs that a call failed: what, why, and what to do. Returns r. */
int client_failed(const char *what, const sd_bus_error *error, int r);

typedef int (*ClientGet)(sd_bus *bus, void *ret, sd_bus_error *error);

/* Opens, asks once, closes. What fails is logged. */
int client_get(ClientGet get, void *ret) _must_check_;
