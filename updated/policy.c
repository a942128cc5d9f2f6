#include "policy.h"
#include "base/text.h"

static int version_refuse_older(const char *version, const char *what, const char *other,
                                UpdateFailure *failure)
{
        return update_failure_set(
                failure, -EPERM, UPDATE_ERROR_POLICY,
                "version %s is older than version %s, which %s; DOWNGRADE=allow in "
                "update.conf would let it in",
                version, other, what);
}

static bool version_is_older(const char *version, const char *other)
{
        return !is_empty(other) && version_compare(version, other) < 0;
}

int version_policy_check(const VersionPolicy *policy, const char *version, UpdateFailure *failure)
{
        if (!*version)
                return is_empty(policy->minimum)
                               ? 0
                               : update_failure_set(failure, -EPERM, UPDATE_ERROR_POLICY,
                                                    "the update names no version, and "
                                                    "MINIMUM_VERSION in update.conf is %s",
                                                    policy->minimum);
        if (version_is_older(version, policy->minimum))
                return update_failure_set(
                        failure, -EPERM, UPDATE_ERROR_POLICY,
                        "version %s is older than %s, which is MINIMUM_VERSION in "
                        "update.conf",
                        version, policy->minimum);
        if (policy->downgrade)
                return 0;
        if (version_is_older(version, policy->running))
                return version_refuse_older(version, "runs here", policy->running, failure);
        if (version_is_older(version, policy->highest))
                return version_refuse_older(version, "ran here before", policy->highest, failure);
        return 0;
}
