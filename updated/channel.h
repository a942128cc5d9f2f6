/*
 * Changes GROUP in the administrator's update.conf, and nothing else in it: comments and other lines stay as they
 * are. How, and under which lock, is base/update-conf.h.
 */
#pragma once

#include "base/macros.h"

#define CHANNEL_MAX 128 /* bytes, as GROUP in config.c */

/* Letters, digits and "._-": what any reader of the file takes for the same word. */
bool channel_is_valid(const char *channel);

/*
 * Writes it: into each file in /etc that sets GROUP already, so that it does not matter which of them counts; else
 * into /etc/coreos/update.conf. Mode bits stay as they are. Does not wait: -EBUSY when another program changes the file
 * just now. On any failure *ret_why may be a sentence (the caller's) or NULL.
 */
int channel_write(const char *root, const char *channel, char **ret_why) _must_check_;
