/*
 * Asking logind for a reboot.
 */
#pragma once

#include <systemd/sd-bus.h>

#include "base/macros.h"

#define LOGIN_BUS_NAME  "org.freedesktop.login1"
#define LOGIN_BUS_PATH  "/org/freedesktop/login1"
#define LOGIN_BUS_IFACE "org.freedesktop.login1.Manager"

/*
 * Calls Reboot(false): not interactive, so block inhibitors and polkit refuse it. handler gets the
 * reply, which is an error when there will be no reboot.
 */
int reboot_request_async(sd_bus *bus, sd_bus_slot **ret, sd_bus_message_handler_t handler,
                         void *userdata) _must_check_;

/* The same for command line tools; blocks. */
int reboot_request(sd_bus *bus, sd_bus_error *error) _must_check_;
