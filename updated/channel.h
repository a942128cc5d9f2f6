/*
 * Changes GROUP in the administrator's update.conf, and nothing else in it: comments and other lines stay as they
 * are.
 */
#pragma once

#include "base/macros.h"

#define CHANNEL_MAX 128 /* bytes, as GROUP in config.c */

/* Letters, digits and "._-": what any reader of the file takes for the same word. */
bool channel_is_valid(const char *channel);

/*
 * The text of update.conf with GROUP=channel in place of every line that sets GROUP, or as a new last line when
 * there is none and append is set. *ret is the caller's; returns 1 when GROUP is set in it, else 0.
 */
int channel_replace(const char *text, const char *channel, bool append, char **ret) _must_check_;

/*
 * Writes it: into each file in /etc that sets GROUP already, so that it does not matter which of them counts; else
 * into /etc/coreos/update.conf.
 */
int channel_write(const char *root, const char *channel) _must_check_;
