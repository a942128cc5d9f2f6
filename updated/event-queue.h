/*
 * Events that the update server has not acknowledged yet: one file each in /var/lib/updated/events, named by a
 * number that grows. A file holds the request as it will be sent, so that an event keeps the version, the boot
 * and the settings of the moment it tells about.
 */
#pragma once

#include "base/macros.h"

#define EVENT_QUEUE_PATH "/var/lib/updated/events"
#define EVENT_QUEUE_MAX  64         /* then the oldest goes */
#define EVENT_SIZE_MAX   (64 * KIB) /* of one request */

/* Appends a request, durable on return. One that equals the last in the queue is not added again. */
int event_queue_add(const char *root, const char *request) _must_check_;

/* The oldest: its number and its text, the caller's. -ENOENT: the queue is empty. */
int event_queue_first(const char *root, uint64_t *ret_number, char **ret_request) _must_check_;

/* Durable on return; one that is gone already is fine. */
int event_queue_remove(const char *root, uint64_t number) _must_check_;
