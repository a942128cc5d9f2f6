/*
 * Watches each connection: one that moves next to nothing, or takes for ever to ask, is shut down,
 * so that slow clients can not use up all of them.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/time-util.h"

#define CONNECTION_WATCH_INTERVAL (120 * USEC_PER_SEC)
#define CONNECTION_BYTES_MIN      256 /* received or acknowledged in each interval: less is dead */
#define CONNECTION_IDLE_SECONDS   60  /* a slow disk may keep a client busy so long */

typedef struct Connection Connection;

/*
 * Watches the socket fd of a new connection, which stays the caller's, and looks at it at this
 * interval.
 */
int connection_new(sd_event *event, int fd, usec_t interval, Connection **ret) _must_check_;
Connection *connection_free(Connection *connection);

/* The request is there and its answer on the way; and: the answer is out. */
void connection_asked(Connection *connection);
void connection_answered(Connection *connection);

/*
 * Judges what has moved since the last look, and shuts the connection down when that is too little. Returns
 * whether it goes on. The timer calls it after each interval.
 */
bool connection_look(Connection *connection);
