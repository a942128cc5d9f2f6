/*
 * The last updates of this host, as update-engine-client history shows them.
 */
#pragma once

#include "client.h"
#include "history.h"

/* Blocks. error tells why it failed. */
int client_history_get(sd_bus *bus, History *ret, sd_bus_error *error) _must_check_;

void client_history_show(const History *history);                  /* for people, the newest last */
int client_history_show_json(const History *history) _must_check_; /* a list on one line */
