/*
 * The verbs channels and log: what the directory of a server holds, for people or as JSON.
 */
#pragma once

#include "serve-catalogue.h"

/* One channel as an object of JSON on stdout. */
int show_channel_json(const CatalogueChannel *channel) _must_check_;

/* Both print on stdout; what failed was logged. */
int show_channels(const char *directory, bool json) _must_check_;

/* follow: goes on with what is appended, until SIGINT or SIGTERM. */
int show_log(const char *directory, bool json, bool follow) _must_check_;
