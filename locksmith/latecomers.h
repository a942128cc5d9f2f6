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

typedef struct LatecomersRequest {
        Session *session; /* borrowed, and the settings, for as long as it lasts */
        const Settings *settings;
        const HolderName *of; /* who asks, and is not late itself; NULL: this host */
        LatecomersOnDone on_done;
        void *userdata;
} LatecomersRequest;

/* Looks, counts, frees, each in a transaction, where the backend has clone(). Calls back from the event
 * loop, never from here. */
int latecomers_ask(const LatecomersRequest *request, Latecomers **ret) _must_check_;
Latecomers *latecomers_cancel(Latecomers *latecomers); /* returns NULL; NULL is fine */
