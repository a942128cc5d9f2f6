#include "quorum.h"

QuorumVerdict quorum_judge(const QuorumMember *members, size_t n_members, QuorumCount *ret)
{
        QuorumCount count = {};
        size_t n_here = 0;

        for (size_t i = 0; i < n_members; i++) {
                const QuorumMember *member = &members[i];

                n_here += member->here && member->voter;
                count.n_voters += member->voter;
                count.n_left += member->voter && member->healthy && !member->here;
        }
        count.n_needed = count.n_voters / 2 + 1;
        *ret = count;

        if (n_here == 0)
                return QUORUM_NOT_MEMBER;
        if (count.n_voters == 1)
                return QUORUM_ALONE;
        return count.n_left >= count.n_needed ? QUORUM_STAYS : QUORUM_LOST;
}
