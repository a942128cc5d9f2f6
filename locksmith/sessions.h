/*
 * Who is logged in, as logind knows it: sessions of users. A login screen, a locked screen, what
 * runs for a user by itself, and a session that is ending are nobody who has to be waited for.
 */
#pragma once

#include "login.h"

#define SESSIONS_MAX 64 /* of more, the rest is taken for users without asking */

/* Does a session of that class and state ("" : not told) count? */
bool session_counts(const char *class, const char *state);

typedef struct Sessions Sessions;

/* Borrowed: valid inside the callback only. */
typedef struct SessionsAnswer {
        const char *failure; /* NULL: well; else why nobody knows */
        size_t n_users;      /* sessions that count */
        const char *who;     /* the names of the first of them */
} SessionsAnswer;

typedef void (*SessionsOnDone)(const SessionsAnswer *answer, void *userdata);

/* Asks for all sessions, one call after another. Calls back from the event loop, never from here. */
int sessions_ask(sd_bus *bus, SessionsOnDone on_done, void *userdata, Sessions **ret) _must_check_;
Sessions *sessions_cancel(Sessions *sessions); /* returns NULL; NULL is fine */
