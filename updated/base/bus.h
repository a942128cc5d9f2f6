/*
 * The system bus and the event loop, set up the same way in every program.
 */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/macros.h"

/* A method call that nobody answers within this time has failed. */
#define BUS_CALL_TIMEOUT_SECONDS 25

/*
 * Connects to the system bus (DBUS_SYSTEM_BUS_ADDRESS is honoured, which private test buses use).
 * With event, the connection is attached to it; losing the bus then ends the loop with an error, because
 * systemd restarts the daemon into a clean state.
 */
int bus_open(sd_event *event, sd_bus **ret) _must_check_;

/* A new event loop that ends cleanly on SIGTERM and SIGINT and feeds the watchdog where systemd wants it. */
int event_new(sd_event **ret) _must_check_;

/* What to do about a bus that can not be reached, to be put behind the reason: "; …", or "". */
const char *bus_open_hint(int r);

/*
 * What a caller should read of a failed bus call: the error's message, or the errno as text. Who does not run is
 * named by the sentence around it.
 */
const char *bus_error_text(const sd_bus_error *error, int r);
