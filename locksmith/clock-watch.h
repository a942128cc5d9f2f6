/*
 * Tells when the clock was set, or the time zone of the host changed: what was computed from the
 * local time counts no longer then.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/macros.h"

typedef struct ClockWatch ClockWatch;

typedef void (*ClockOnChange)(void *userdata);

/* The zone is that of root's /etc/localtime. on_change is called from the event loop, at once. */
int clock_watch_start(sd_event *event, const char *root, ClockOnChange on_change, void *userdata,
                      ClockWatch **ret) _must_check_;

ClockWatch *clock_watch_stop(ClockWatch *watch); /* returns NULL; NULL is fine */
