/*
 * Two machines with the same machine-id, from an image that was copied, are one holder to the lock: both
 * would go down with one slot. Each writes the id of its boot into what is known of it when locksmithd
 * starts. Who finds another one there, although it has not rebooted since, has a twin.
 */
#pragma once

#include "session.h"

typedef struct Twin Twin;

/* why is NULL when there is none; else what to do about it, or why it can not be known. */
typedef void (*TwinOnDone)(const char *why, void *userdata);

/* For a host that is known since this boot, where the backend keeps keys. Calls back from the event loop,
 * never from here. The settings are borrowed during the call, the session as long as it lasts. */
int twin_look(Session *session, const Settings *settings, TwinOnDone on_done, void *userdata,
              Twin **ret) _must_check_;
Twin *twin_cancel(Twin *twin); /* returns NULL; NULL is fine */
