/*
 * A host's turn: a place in the queue, then the lock. Hosts get it in the order in which they came.
 * With a backend that has no queue it is the lock alone.
 *
 * A ticket is a key of ours that goes away with a host that dies; its create_revision is the place. Who is not first watches the ticket before its own and nothing
 * else; who is first waits for a free slot, takes it, and removes its ticket in the same
 * transaction. So one hand-over costs the same few requests however many wait. Old clients know
 * nothing of the queue and still get in: fairness is ours, safety is the semaphore's.
 */
#pragma once

#include "session.h"

#define CLAIM_BEAT (LOCK_TICKET_SECONDS * USEC_PER_SEC / 3)

typedef struct Claim Claim;

typedef struct ClaimRequest {
        const char *group, *id;
        const char *record;   /* JSON: put beside ticket and lock; or NULL */
        LockOnResult on_wait; /* told why it takes long */
        LockOnResult on_done; /* LOCK_DONE, never anything else: a claim does not give up */
        void *userdata;
} ClaimRequest;

/* session is borrowed, everything else copied. The claim is freed behind on_done. */
int claim_start(Session *session, const ClaimRequest *request, Claim **ret) _must_check_;

/*
 * Gives the claim up without calling back, and the ticket with it. A lock that was being taken may
 * be ours all the same. Returns NULL; NULL is fine.
 */
Claim *claim_cancel(Claim *claim);

/*
 * Removes a ticket that a claim of a session that has ended left behind, and waits for that until
 * timeout. What does not work the lease does, a little later.
 */
void claim_leave(Session *session, const char *group, const char *id, usec_t timeout);
