/*
 * What else decides about the lock of a group besides its free slots: a share of its hosts in percent,
 * the failure budget, and a limit on the holders of all groups together. Pure: documents in, verdicts
 * and documents out. Old clients know none of this; what they can see of it is the integer "max".
 */
#pragma once

#include "lock-backend.h"
#include "semaphore.h"

#define POLICY_TEXT_MAX     (64 * KIB)
#define POLICY_FAILURES_MAX 100 /* more are not counted: the fleet has long been stopped */
#define POLICY_DEEDS_MAX    20  /* older ones are forgotten */
#define POLICY_WHY_MAX      512

/* A host that went down and did not come back as it should. */
typedef struct Failure {
        char *id, *host, *why;
        int64_t since; /* seconds since 1970, by the clock of the host that has noticed */
        bool excused;  /* from before the fleet was resumed: it is only kept so as not to be counted
                          again while the host holds the lock */
} Failure;

/* Who has done something to the lock or its policy, and why, or what. */
typedef struct Deed {
        char *who, *reason; /* who is NULL: nobody has */
        int64_t since;
} Deed;

/* The policy document of a group. */
typedef struct Policy {
        unsigned percent; /* of the hosts may hold the lock; 0: as many as "max" says */
        int64_t of;       /* how many hosts there are; 0: those that are known */
        Failure *failures;
        size_t n_failures;
        Deed stopped; /* nobody gets the lock: the failures have used up the budget */
        Deed resumed; /* the last time that somebody has ended that */
        Deed *deeds;  /* what was done by hand, the oldest first; their reason is what it was */
        size_t n_deeds;
} Policy;

/* Everything that decides, as it was at one moment. */
typedef struct PolicyView {
        bool kept;   /* by this backend; if not, all else is empty */
        int64_t now; /* the revision of everything then */
        Policy policy;
        int64_t limit;        /* on the holders of all groups; 0: none */
        uint64_t n_elsewhere; /* holders in other groups */
        bool damaged; /* the policy can not be read: it is not to be written, but by resume */
        const char
                *why; /* what of all can not be read, so that nobody may take the lock; or NULL */
} PolicyView;

/* Reads a policy: -EBADMSG when it is none. Its texts can be shown as they are. */
int policy_parse(const char *text, size_t size, Policy *ret) _must_check_;
int policy_format(const Policy *policy, char **ret) _must_check_;

/* Reads all that a backend has told. What is damaged is not refused but noted in ->why. */
int policy_view_read(const LockAround *around, PolicyView *ret) _must_check_;

/* *ret is nothing yet, and the caller's then. */
int policy_view_copy(const PolicyView *view, PolicyView *ret) _must_check_;

/* Has the fleet stopped, or can nobody know? -EBUSY with the reason for people. */
int policy_is_stopped(const PolicyView *view, char why[static POLICY_WHY_MAX]) _must_check_;

/*
 * May somebody who does not hold the lock take it, as far as the policy is concerned? -EBUSY with
 * the reason for people.
 */
int policy_may_take(const PolicyView *view, const Semaphore *semaphore,
                    char why[static POLICY_WHY_MAX]) _must_check_;

/* How many of so many hosts may hold the lock: rounded down, but one at least. */
int64_t policy_share(const Policy *policy, uint64_t n_known_hosts);

/*
 * Makes the max what the share demands. A max of 0 stays: somebody has paused the lock, perhaps
 * with an old client. Returns 1 when it changed, else 0.
 */
int policy_apply_share(const Policy *policy, uint64_t n_known_hosts,
                       Semaphore *semaphore) _must_check_;

/* Does id stand among the failures, excused or not? */
bool policy_has_failed(const Policy *policy, const char *id);

size_t policy_n_failures(const Policy *policy); /* without those that are excused */

/*
 * Counts a host as failed, unless it is counted already, and stops the fleet when there are as many
 * as budget (0: it never stops). failure NULL: only looks whether there are. Returns 1 when something
 * changed, 0 when nothing did.
 */
int policy_count(Policy *policy, const Failure *failure, uint64_t budget) _must_check_;

/* A host has come back after all: it counts no more, unless the fleet has stopped over it. Returns 1
 * or 0. */
int policy_forgive(Policy *policy, const char *id);

/* id gets the lock, or gives it back: an excuse ends with that. Returns 1 or 0. */
int policy_end_excuse(Policy *policy, const char *id);

/*
 * Ends the stop; the failures do not count any more, and only those who still hold the lock are kept,
 * excused. Returns 1, or 0 when there was nothing to end.
 */
int policy_resume(Policy *policy, const Semaphore *semaphore, const Deed *deed) _must_check_;

/*
 * Writes down what was done by hand; the oldest deeds make room. Returns 1, or 0 when this very deed
 * stands there: an answer got lost, and it is done again.
 */
int policy_note(Policy *policy, const Deed *deed) _must_check_;

void deed_done(Deed *deed);
void policy_done(Policy *policy);
void policy_view_done(PolicyView *view);
