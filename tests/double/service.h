/*
 * What systemd does for a service of the machine stand-in: environment from drop-ins, log file, start, stop.
 */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/macros.h"

typedef struct Service {
        const char *name; /* borrowed; names the log file and the drop-in */
        pid_t pid;        /* 0: not running */
        sd_event_source *child;
} Service;

/* Starts argv with the bus address and the environment of its drop-in below root. */
int service_start(Service *service, sd_event *event, const char *root, const char *bus_address,
                  const char *const argv[], sd_event_child_handler_t on_ended,
                  void *userdata) _must_check_;

/* SIGTERM, after five seconds SIGKILL; waits for the end. */
void service_stop(Service *service);
