/*
 * Which versions this host takes: never an older one by accident. Pure: what is known of the host comes in as
 * arguments.
 */
#pragma once

#include "omaha-error.h"

/* All borrowed; NULL or "" where nothing is known or wanted. */
typedef struct VersionPolicy {
        const char *running; /* the version that runs */
        const char *highest; /* the highest that ever was marked good here */
        const char *minimum; /* MINIMUM_VERSION: never below it, whatever else is allowed */
        bool downgrade;      /* DOWNGRADE=allow */
} VersionPolicy;

/*
 * May this version ("" when nobody says which it is) be installed? Returns 0, or -EPERM with *failure filled. A
 * version that is not named is only refused when there is a minimum.
 */
int version_policy_check(const VersionPolicy *policy, const char *version,
                         UpdateFailure *failure) _must_check_;
