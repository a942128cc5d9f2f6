/*
 * Holders of the lock that went down for an update and have not come back in time. While there is
 * one, nobody else goes down: what broke it may break them as well.
 */
#pragma once

#include "peers.h"

#define LATECOMERS_WHY_MAX 512

/*
 * How many holders but own_id are late at now, by records that are older than limit (0: none ever
 * is); *why names the first. Records of work by hand do not count, nor do those from the future.
 */
size_t latecomers_count(const Semaphore *semaphore, const Peers *holders, const char *own_id,
                        usec_t now, usec_t limit, char why[static LATECOMERS_WHY_MAX]);

typedef struct Latecomers Latecomers;

/* why is NULL when there are none; else who is late, or why it can not be known. */
typedef void (*LatecomersOnDone)(const char *why, void *userdata);

/* settings is borrowed for as long as it lasts. Calls back from the event loop, never from here. */
int latecomers_ask(Session *session, const Settings *settings, LatecomersOnDone on_done,
                   void *userdata, Latecomers **ret) _must_check_;
Latecomers *latecomers_cancel(Latecomers *latecomers); /* returns NULL; NULL is fine */
