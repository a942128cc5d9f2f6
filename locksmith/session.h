/*
 * All that is needed to work with one lock, put together: HTTP, etcd, backend. Used by the daemon
 * on its own event loop, and by the command line tool, which runs one operation to its end.
 */
#pragma once

#include "lock.h"
#include "settings.h"

typedef struct Session {
        sd_event *event;
        Http *http;
        Etcd *etcd; /* NULL when the lock is not there */
        LockBackend *backend;
} Session;

/* A host at the lock of some group. All borrowed. */
typedef struct HolderName {
        const LockBackend *backend; /* of that lock; not used but to be cloned */
        const char *group, *id;
} HolderName;

/* settings is borrowed. */
int session_open(sd_event *event, const Settings *settings, Session *ret) _must_check_;

/* Another backend in the same etcd, for the lock of that group; the caller frees it, before the session
 * ends. */
int session_backend(const Session *session, const Settings *settings, const char *group,
                    LockBackend **ret) _must_check_;

/*
 * Runs an operation to its end, or until timeout (0: none): -ETIMEDOUT then, or -ECANCELED behind a
 * signal. The request's on_done is called with its userdata, as ever.
 */
int session_run(Session *session, const LockRequest *request, usec_t timeout) _must_check_;

/* Runs the event loop until *done, with the same returns. */
int session_wait(Session *session, const bool *done, usec_t timeout) _must_check_;

/* Copies of group and id, of this host where of is NULL, and a backend of the caller's own for that
 * lock. */
int session_holder(const Session *session, const Settings *settings, const HolderName *of,
                   char **ret_group, char **ret_id, LockBackend **ret_backend) _must_check_;

void session_done(Session *session);
