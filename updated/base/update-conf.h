/*
 * Changes in update.conf that leave everything else as it is: comments, order, unknown keys, odd lines.
 * Text in, text out. Three programs read that file, each in its own way; what is written here all read alike.
 */
#pragma once

#include <stddef.h>

#include "base/time-util.h"

/* The directory of the state files; the lock is on itself, so nothing is left behind. */
#define UPDATE_CONF_LOCK "/var/lib/updated"

/* One variable to change. */
typedef struct Assignment {
        const char *key;
        const char *value; /* NULL: its lines go */
} Assignment;

/*
 * Makes the new text. A key that is there keeps its place (and only one of its lines), others are appended in the
 * order given. When nothing changes, the result is the old text, byte for byte. Returns 0, -ENOMEM, or -EBADMSG
 * with *ret_line and *ret_why for a file in which a line can not be told from its neighbours.
 */
int update_conf_merge(const char *old, const Assignment *assignments, size_t n, char **ret,
                      unsigned *ret_line, const char **ret_why) _must_check_;

/* The whole last line of key in text (without its end), copied; *ret is NULL when there is none. */
int update_conf_line(const char *text, const char *key, char **ret) _must_check_;

/*
 * Who changes update.conf holds this from reading to writing: one program at a time. Held until the returned
 * descriptor is closed, at the latest by the end of the process. timeout: how long to wait, asleep, for who has it;
 * -EBUSY after that.
 */
int update_conf_lock(const char *root, usec_t timeout) _must_check_;
