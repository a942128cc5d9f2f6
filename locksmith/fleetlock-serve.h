/*
 * A FleetLock server on the semaphores of locksmith, so that Zincati's hosts and ours share their
 * slots. Its group "default" is the default group of locksmith; others have their own names. Each
 * question is one operation on the lock; what the clients can make it do is bounded.
 */
#pragma once

#include "base/http-serve.h"
#include "session.h"

#define FLEETLOCK_SERVE_CONNECTIONS_MAX 200u
#define FLEETLOCK_SERVE_MEMORY_MAX      (32 * KIB)          /* of one connection, for its headers */
#define FLEETLOCK_SERVE_TIMEOUT         (30 * USEC_PER_SEC) /* etcd has to answer by then */

typedef struct FleetlockServe FleetlockServe;

typedef struct FleetlockServeParameters {
        Session *session; /* borrowed, as all of these */
        const Settings *settings;
        const TextList *groups; /* what is asked for others is refused */
        int listen_fd;          /* taken over when fleetlock_serve_new() succeeds */
        const char *certificate_pem, *key_pem, *ca_pem; /* see http-serve.h */
        void (*on_idle)(void *userdata); /* after fleetlock_serve_stop(): everything is answered */
        void *userdata;
} FleetlockServeParameters;

/* Answers from the event loop of the session until it is freed. -errno as http_serve_new(). */
int fleetlock_serve_new(const FleetlockServeParameters *parameters,
                        FleetlockServe **ret) _must_check_;
FleetlockServe *fleetlock_serve_free(FleetlockServe *server);
DEFINE_CLEANUP(FleetlockServe *, fleetlock_serve_free);

/* Takes no new connections, and tells when all that was asked is answered. */
void fleetlock_serve_stop(FleetlockServe *server);
