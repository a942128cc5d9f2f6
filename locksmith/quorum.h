/*
 * Would etcd still have its quorum without this host? Pure: what the members are comes in.
 */
#pragma once

#include "base/macros.h"

typedef struct QuorumMember {
        bool voter;   /* not a learner */
        bool healthy; /* it answers, and has a leader */
        bool here;    /* it runs on this host */
} QuorumMember;

typedef enum QuorumVerdict {
        QUORUM_NOT_MEMBER, /* none runs on this host */
        QUORUM_STAYS,
        QUORUM_ALONE, /* the only voter: no order of reboots could keep a quorum */
        QUORUM_LOST,
} QuorumVerdict;

typedef struct QuorumCount {
        size_t n_voters;
        size_t n_needed; /* more than half of them */
        size_t n_left;   /* healthy voters while this host is down */
} QuorumCount;

/* *ret is set whatever the verdict: it is what a message can show. */
QuorumVerdict quorum_judge(const QuorumMember *members, size_t n_members, QuorumCount *ret);
