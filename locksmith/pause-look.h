/*
 * Is the fleet paused? Asked before users are warned, while they are, and before a host is drained:
 * nobody is to be disturbed for a reboot that an operator has called off.
 */
#pragma once

#include "session.h"

typedef struct PauseLook PauseLook;

/* why is NULL when it is not paused; else that it is, by whom and why, or why it can not be known. */
typedef void (*PauseOnDone)(const char *why, void *userdata);

/* The backend must keep keys beside the lock. Calls back from the event loop, never from here. */
int pause_look(Session *session, const Settings *settings, PauseOnDone on_done, void *userdata,
               PauseLook **ret) _must_check_;
PauseLook *pause_look_cancel(PauseLook *look); /* returns NULL; NULL is fine */
