/*
 * Follows the daemon's StatusUpdate signals, to the end of an update or for ever.
 */
#pragma once

#include "client.h"

typedef enum FollowStyle {
        FOLLOW_PEOPLE,  /* lines, and a progress bar on a terminal */
        FOLLOW_JSON,    /* one object for each signal */
        FOLLOW_CLASSIC, /* as the original */
} FollowStyle;

/* Both return an exit status; what went wrong is logged. They use the bus with an event loop of their own. */
int client_update(sd_bus *bus, FollowStyle style) _must_check_; /* asks for an update first */
int client_install(sd_bus *bus, const char *payload,
                   FollowStyle style) _must_check_; /* of a file or an URL */
int client_watch(sd_bus *bus, FollowStyle style) _must_check_;
