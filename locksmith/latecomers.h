/*
 * Holders of the lock that went down and have not come back in time. They are counted as failures,
 * and when those use up the budget, the fleet stops: what broke them may break the others as well.
 * Who is gone for good gives its slot to others, where its host has agreed to that beforehand.
 *
 * That somebody is late is told by a key with a lease that has ended, and by nobody's clock.
 */
#pragma once

#include "peers.h"

typedef struct Latecomers Latecomers;

/* why is NULL when the fleet goes on; else why not: stopped, or (not stopped) why it can not be known. */
typedef void (*LatecomersOnDone)(const char *why, bool stopped, void *userdata);

/*
 * Looks, counts, frees, each in a transaction. settings is borrowed for as long as it lasts. Calls back
 * from the event loop, never from here.
 */
int latecomers_ask(Session *session, const Settings *settings, LatecomersOnDone on_done,
                   void *userdata, Latecomers **ret) _must_check_;
Latecomers *latecomers_cancel(Latecomers *latecomers); /* returns NULL; NULL is fine */
