/*
 * What was sent to a connection to the bus that nobody reads any more. A program that takes over from another one opens a
 * connection of its own, and then reads in the old one what came in between.
 */
#pragma once

#include <systemd/sd-bus.h>

#include "base/macros.h"

#define BUS_LEFT_MAX (64 * KIB) /* more is not read */

/*
 * Calls handler for each message that has come to the connection, a socket of an sd_bus that is closed already; its own
 * descriptor is not. The handler may keep a message, and ends the round by returning less than 0, which is returned then.
 */
int bus_left_read(int fd, sd_bus_message_handler_t handler, void *userdata) _must_check_;
