#include "locksmith/cluster.h"
#include "locksmith/guard.h"
#include "locksmith/quorum.h"
#include "unit/unit.h"

/* A letter each: v a healthy voter, x an ill one, l a learner; capital: on this host. */
static const struct {
        const char *members;
        QuorumVerdict verdict;
        size_t n_left, n_needed;
} table[] = {
        { "", QUORUM_NOT_MEMBER, 0, 1 },
        { "v", QUORUM_NOT_MEMBER, 1, 1 },
        { "V", QUORUM_ALONE, 0, 1 },
        { "Vl", QUORUM_ALONE, 0, 1 },

        { "Vvv", QUORUM_STAYS, 2, 2 },
        { "Vvx", QUORUM_LOST, 1, 2 },
        { "Xvv", QUORUM_STAYS, 2, 2 }, /* it is ill already: nothing is lost with it */
        { "vvx", QUORUM_NOT_MEMBER, 2, 2 },
        { "Lvv", QUORUM_NOT_MEMBER, 2, 2 },
        { "Lvx", QUORUM_NOT_MEMBER, 1, 2 },
        { "Vvl", QUORUM_LOST, 1, 2 }, /* a learner has no vote */

        /* even numbers bear no more than the odd one below */
        { "Vv", QUORUM_LOST, 1, 2 },
        { "Vvvv", QUORUM_STAYS, 3, 3 },
        { "Vvvx", QUORUM_LOST, 2, 3 },

        { "Vvvvv", QUORUM_STAYS, 4, 3 },
        { "Vvvvx", QUORUM_STAYS, 3, 3 },
        { "Vvvxx", QUORUM_LOST, 2, 3 },
        { "VVvvv", QUORUM_STAYS, 3, 3 },
        { "VVVvv", QUORUM_LOST, 2, 3 },
};

static void test_a_host_leaves_only_when_a_quorum_stays(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                QuorumMember members[8];
                size_t n = strlen(table[i].members);
                QuorumCount count;

                for (size_t j = 0; j < n; j++) {
                        char letter = table[i].members[j];

                        members[j] = (QuorumMember) {
                                .here = letter >= 'A' && letter <= 'Z',
                                .voter = letter != 'l' && letter != 'L',
                                .healthy = letter != 'x' && letter != 'X',
                        };
                }
                assert_int_equal(quorum_judge(members, n, &count), table[i].verdict);
                assert_int_equal(count.n_left, table[i].n_left);
                assert_int_equal(count.n_needed, table[i].n_needed);
        }
}

static void test_addresses_that_are_of_every_host_tell_nothing(_unused_ void **state)
{
        static const struct {
                const char *url;
                int here;
        } urls[] = {
                { "http://127.0.0.1:2379", -ENODATA },
                { "http://127.8.9.10:2379", -ENODATA },
                { "https://localhost:2379", -ENODATA },
                { "http://[::1]:2379", -ENODATA },
                { "http://192.0.2.77:2380", false },
                { "http://[2001:db8::77]:2380", false },
                { "https://node1:2380", true },
                { "https://node2:2380", -ENODATA },
                { "node1", -ENODATA },
                { "http://", -ENODATA },
                { "", -ENODATA },
        };

        for (size_t i = 0; i < ELEMENTSOF(urls); i++)
                assert_int_equal(cluster_url_is_here(urls[i].url, "node1"), urls[i].here);
}

static void test_a_member_is_back_when_it_is_well_and_has_caught_up(_unused_ void **state)
{
        static const struct {
                bool healthy;
                uint64_t applied;
                const char *url, *problem;
        } cases[] = {
                { true, 5000, "http://localhost:2380", NULL },
                { true, 5001, "http://localhost:2380", NULL }, /* newer than what others said */
                { true, 4000, "http://localhost:2380", NULL },
                { true, 3999, "http://localhost:2380", "it has not caught up with the others yet" },
                { true, 0, "http://localhost:2380", "it has not caught up with the others yet" },
                { false, 5000, "http://localhost:2380", "it does not answer, or has no leader" },
                { true, 5000, "http://192.0.2.1:2380",
                  "its peer URLs are no addresses of this host: see etcdctl member update" },
                { true, 5000, NULL, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char *urls[] = { (char *)cases[i].url };
                EtcdMember member = { .peer_urls = { urls, cases[i].url != NULL } };
                ClusterMember m = { .member = &member,
                                    .healthy = cases[i].healthy,
                                    .status = { .raft_applied_index = cases[i].applied } };
                Cluster cluster = { .members = &m, .n_members = 1, .raft_index = 5000 };
                const char *problem = guard_member_problem(&cluster, &m, "web-1");

                assert_string_equal(problem ? problem : "",
                                    cases[i].problem ? cases[i].problem : "");
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_host_leaves_only_when_a_quorum_stays),
                cmocka_unit_test(test_a_member_is_back_when_it_is_well_and_has_caught_up),
                cmocka_unit_test(test_addresses_that_are_of_every_host_tell_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
