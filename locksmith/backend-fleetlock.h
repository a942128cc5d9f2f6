/*
 * The lock at a FleetLock server, as Zincati uses it: it is asked for a slot, and tells nothing else.
 */
#pragma once

#include "base/http.h"
#include "lock-backend.h"

#define FLEETLOCK_CONNECT_TIMEOUT (10 * USEC_PER_SEC)
#define FLEETLOCK_TOTAL_TIMEOUT   (30 * USEC_PER_MINUTE) /* some servers drain the host first */
#define FLEETLOCK_GROUP_DEFAULT   "default"

typedef struct FleetlockSettings {
        const char *url;   /* ends in a slash */
        const char *group; /* "": FLEETLOCK_GROUP_DEFAULT */
        const char *ca_file, *certificate_file, *key_file;
} FleetlockSettings;

/* http is borrowed, and so are the texts of settings, for as long as it lives. */
int backend_fleetlock_new(Http *http, const FleetlockSettings *settings,
                          LockBackend **ret) _must_check_;
