/*
 * An id of a host that does not give its machine-id away, as systemd derives them: for FleetLock, the
 * same that Zincati uses. Pure.
 */
#pragma once

#include "base/macros.h"

#define HOST_ID_HEX 32 /* digits */

/* Of the machine-id in hex. -EBADMSG when that is none. The caller frees it. */
int host_id_for_fleetlock(const char *machine_id, char **ret) _must_check_;
