#include "locksmith/etcd-wire.h"
#include "unit/locksmith/bad.h"
#include "unit/unit.h"

/* The names and forms that etcd 3.4 was seen to understand; it ignores what it does not know, so
 * every byte counts. */
static void test_requests_are_what_etcd_wants(_unused_ void **state)
{
        static const EtcdRangeRequest key = { .key = "k" };
        static const EtcdRangeRequest before = {
                .key = "q/", .prefix = true, .youngest = true, .max_create_revision = 41
        };
        static const EtcdCompare compare[] = { { "k", ETCD_MOD_REVISION, 3 },
                                               { "t", ETCD_CREATE_REVISION, 0 } };
        static const EtcdWrite write[] = { { "k", "v", 0 }, { "l", "v", 5 }, { "t", NULL, 0 } };
        static const EtcdTxnRequest txn = { compare, 2, write, 3, &key, 1 };
        static const EtcdRangeRequest all = { .key = "a", .end = "b" };
        static const EtcdRangeRequest count = { .key = "q/", .prefix = true, .count_only = true };
        static const EtcdCompare unchanged_compare = { "a", ETCD_UNCHANGED_SINCE, 7, "b" };
        static const EtcdTxnRequest alone = {
                .compares = &unchanged_compare, .n_compares = 1, .writes = write, .n_writes = 1
        };
        _cleanup_free_ char *range_of = NULL, *counted = NULL, *unchanged = NULL, *watch_of = NULL;
        _cleanup_free_ char *range = NULL, *youngest = NULL, *swap = NULL, *watch = NULL,
                            *login = NULL;

        assert_int_equal(etcd_range_build(&key, &range), 0);
        assert_string_equal(range, "{\"key\":\"aw==\"}");
        assert_int_equal(etcd_range_build(&before, &youngest), 0);
        assert_string_equal(
                youngest,
                "{\"key\":\"cS8=\",\"range_end\":\"cTA=\",\"sort_target\":\"CREATE\","
                "\"sort_order\":\"DESCEND\",\"limit\":\"1\",\"max_create_revision\":\"41\"}");
        assert_int_equal(etcd_range_build(&all, &range_of), 0);
        assert_string_equal(range_of, "{\"key\":\"YQ==\",\"range_end\":\"Yg==\"}");
        assert_int_equal(etcd_range_build(&count, &counted), 0);
        assert_string_equal(counted,
                            "{\"key\":\"cS8=\",\"range_end\":\"cTA=\",\"count_only\":true}");
        assert_int_equal(etcd_txn_build(&alone, &unchanged), 0);
        assert_string_equal(
                unchanged,
                "{\"compare\":[{\"key\":\"YQ==\",\"range_end\":\"Yg==\",\"target\":\"MOD\","
                "\"result\":\"LESS\",\"mod_revision\":\"8\"}],"
                "\"success\":[{\"request_put\":{\"key\":\"aw==\",\"value\":\"dg==\"}}],\"failure\":[]}");
        assert_int_equal(etcd_txn_build(&txn, &swap), 0);
        assert_string_equal(
                swap,
                "{\"compare\":[{\"key\":\"aw==\",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"3\"},"
                "{\"key\":\"dA==\",\"target\":\"CREATE\",\"result\":\"EQUAL\",\"create_revision\":\"0\"}],"
                "\"success\":[{\"request_put\":{\"key\":\"aw==\",\"value\":\"dg==\"}},"
                "{\"request_put\":{\"key\":\"bA==\",\"value\":\"dg==\",\"lease\":\"5\"}},"
                "{\"request_delete_range\":{\"key\":\"dA==\"}}],"
                "\"failure\":[{\"request_range\":{\"key\":\"aw==\"}}]}");
        assert_int_equal(etcd_watch_build("k", NULL, 7, &watch), 0);
        assert_string_equal(watch,
                            "{\"create_request\":{\"key\":\"aw==\",\"start_revision\":\"7\"}}");
        assert_int_equal(etcd_watch_build("a", "b", 7, &watch_of), 0);
        assert_string_equal(
                watch_of,
                "{\"create_request\":{\"key\":\"YQ==\",\"range_end\":\"Yg==\",\"start_revision\":\"7\"}}");
        assert_int_equal(etcd_authenticate_build("u", NULL, &login), 0);
        assert_string_equal(login, "{\"name\":\"u\",\"password\":\"\"}");
}

static const char range_answer[] =
        "{\"header\":{\"cluster_id\":\"324952591200643719\",\"revision\":\"9\"},\"kvs\":[{\"key\":\"aw==\","
        "\"create_revision\":\"2\",\"mod_revision\":3,\"version\":\"2\",\"value\":\"dg==\",\"lease\":\"77\"},"
        "{\"key\":\"bA==\",\"create_revision\":\"4\",\"mod_revision\":\"4\"}],\"count\":\"2\"}";

static void test_a_range_answer_is_read(_unused_ void **state)
{
        _cleanup_(etcd_range_done) EtcdRange range = {};
        int64_t revision;

        assert_int_equal(etcd_range_parse(range_answer, strlen(range_answer), &range, &revision),
                         0);
        assert_int_equal(revision, 9);
        assert_int_equal(range.n_keys, 2);
        assert_int_equal(range.count, 2);
        assert_string_equal(range.keys[0].key, "k");
        assert_string_equal(range.keys[0].value, "v");
        assert_int_equal(range.keys[0].mod_revision, 3);
        assert_int_equal(range.keys[0].lease, 77);
        assert_string_equal(range.keys[1].value, "");
}

static const EtcdWrite two_writes[] = { { "k", "v", 0 }, { "t", NULL, 0 } };
static const EtcdRangeRequest one_read[] = { { .key = "k" } };
static const EtcdTxnRequest txn_request = {
        .writes = two_writes, .n_writes = 2, .reads = one_read, .n_reads = 1
};

static void test_a_transaction_tells_whether_it_was_done(_unused_ void **state)
{
        static const char done[] =
                "{\"header\":{\"revision\":\"5\"},\"succeeded\":true,\"responses\":["
                "{\"response_put\":{\"header\":{\"revision\":\"5\"}}},{\"response_delete_range\":{}}]}";
        static const char lost[] =
                "{\"header\":{\"revision\":\"5\"},\"responses\":[{\"response_range\":{\"kvs\":[{\"key\":"
                "\"aw==\",\"create_revision\":\"2\",\"mod_revision\":\"5\",\"value\":\"dg==\"}]}}]}";
        _cleanup_(etcd_txn_done) EtcdTxn first = {}, second = {};

        assert_int_equal(etcd_txn_parse(done, strlen(done), &txn_request, &first), 0);
        assert_true(first.succeeded);
        assert_int_equal(first.revision, 5);
        assert_int_equal(etcd_txn_parse(lost, strlen(lost), &txn_request, &second), 0);
        assert_false(second.succeeded);
        assert_int_equal(second.ranges[0].keys[0].mod_revision, 5);
}

static void test_the_lines_of_a_watch_are_read(_unused_ void **state)
{
        static const struct {
                const char *line;
                bool created, canceled, changed, deleted;
                const char *why;
        } table[] = {
                { "{\"result\":{\"header\":{},\"created\":true}}", true, false, false, false, "" },
                { "{\"result\":{\"events\":[{\"kv\":{\"key\":\"aw==\",\"mod_revision\":\"4\",\"create_revision\":\"2\"}}]}}",
                  false, false, true, false, "" },
                { "{\"result\":{\"events\":[{\"type\":\"DELETE\",\"kv\":{\"key\":\"aw==\",\"mod_revision\":\"4\"}}]}}",
                  false, false, true, true, "" },
                { "{\"result\":{\"canceled\":true,\"compact_revision\":\"26\"}}", false, true,
                  false, false, "the wanted revision was compacted away" },
                { "{\"result\":{\"watch_id\":\"-1\",\"created\":true,\"canceled\":true,\"cancel_reason\":\"no\\u001b[2J\"}}",
                  true, true, false, false, "no?[2J" },
                { "{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"etcdserver: no leader\"}}",
                  false, true, false, false, "etcdserver: no leader" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(etcd_watch_line_done) EtcdWatchLine line = {};

                assert_int_equal(etcd_watch_line_parse(table[i].line, strlen(table[i].line), &line),
                                 0);
                assert_int_equal(line.created, table[i].created);
                assert_int_equal(line.canceled, table[i].canceled);
                assert_int_equal(line.changed, table[i].changed);
                assert_int_equal(line.deleted, table[i].deleted);
                assert_string_equal(line.why, table[i].why);
        }
}

static void test_errors_are_told_in_one_line_that_no_terminal_obeys(_unused_ void **state)
{
        static const struct {
                const char *body, *why;
        } table[] = {
                { "{\"error\":\"etcdserver: no leader\",\"message\":\"x\",\"code\":14}",
                  "etcdserver: no leader" },
                { "{\"error\":{\"message\":\"transport is closing\"}}", "transport is closing" },
                { "404 page not found\n", "404 page not found" },
                { "\x1b]0;owned\x07 a\tb\r\n", "?]0;owned? a b?" },
                { "\xff\xc2\x9b\xc3\xa9", "???\xc3\xa9" },
                { "", "" },
        };
        char why[ETCD_WHY_MAX], body[2 * ETCD_WHY_MAX];

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                etcd_error_text(table[i].body, strlen(table[i].body), why);
                assert_string_equal(why, table[i].why);
        }
        memset(body, 'x', sizeof(body));
        etcd_error_text(body, sizeof(body), why);
        assert_int_equal(strlen(why), ETCD_WHY_MAX - 1);
}

static void test_a_token_can_not_smuggle_headers(_unused_ void **state)
{
        static const char *const bad[] = {
                "{\"token\":\"a\\r\\nX: y\"}", "{\"token\":\"\"}", "{\"token\":7}", "{}", "x",
                "{\"token\":\"a b\"}"
        };
        static const char good[] = "{\"token\":\"nVyfHxGYQyMhXOPA.10\"}";
        _cleanup_free_ char *token = NULL;
        char *none;

        assert_int_equal(etcd_token_parse(good, strlen(good), &token), 0);
        assert_string_equal(token, "nVyfHxGYQyMhXOPA.10");
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(etcd_token_parse(bad[i], strlen(bad[i]), &none), -EBADMSG);
}

static void test_a_member_tells_its_cluster_and_whether_it_has_a_leader(_unused_ void **state)
{
        static const char alone[] =
                "{\"header\":{\"cluster_id\":\"14841639068965178418\"},\"version\":\"3.4.23\","
                "\"errors\":[\"etcdserver: no leader\"]}";
        static const char led[] =
                "{\"header\":{\"cluster_id\":\"1\"},\"version\":\"3.4.23\",\"leader\":\"7\"}";
        static const char *const bad[] = { "{}", "x", "{\"header\":{},\"version\":\"3\"}",
                                           "{\"header\":{\"cluster_id\":\"1\"}}" };
        EtcdStatus status;

        assert_int_equal(etcd_status_parse(alone, strlen(alone), &status), 0);
        assert_string_equal(status.cluster_id, "14841639068965178418");
        assert_false(status.has_leader);
        assert_int_equal(etcd_status_parse(led, strlen(led), &status), 0);
        assert_true(status.has_leader);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(etcd_status_parse(bad[i], strlen(bad[i]), &status), -EBADMSG);
}

static void test_the_members_of_a_cluster_are_read(_unused_ void **state)
{
        static const char text[] =
                "{\"header\":{},\"members\":[{\"ID\":\"18446744073709551615\",\"name\":\"a\","
                "\"peerURLs\":[\"http://192.0.2.1:2380\"],\"clientURLs\":[\"http://192.0.2.1:2379\"]},"
                "{\"ID\":\"7\",\"peerURLs\":[\"http://192.0.2.2:2380\"],\"isLearner\":true}]}";
        EtcdMembers members;

        assert_int_equal(etcd_members_parse(text, strlen(text), &members), 0);
        assert_int_equal(members.n_members, 2);
        assert_string_equal(members.members[0].id, "18446744073709551615");
        assert_string_equal(members.members[0].client_urls.items[0], "http://192.0.2.1:2379");
        assert_false(members.members[0].learner);
        assert_string_equal(members.members[1].name, "");
        assert_true(members.members[1].learner);
        assert_int_equal(members.members[1].client_urls.n_items, 0);
        etcd_members_done(&members);
}

static int parse_members(const char *data, size_t size)
{
        EtcdMembers members;

        return etcd_members_parse(data, size, &members);
}

static void test_leases_and_their_ends_are_read(_unused_ void **state)
{
        static const char granted[] = "{\"header\":{},\"ID\":\"7587869441\",\"TTL\":\"60\"}";
        static const char kept[] = "{\"result\":{\"header\":{},\"ID\":\"7\",\"TTL\":\"60\"}}\n";
        static const char gone[] = "{\"result\":{\"header\":{},\"ID\":\"7\"}}\n";
        int64_t number;

        assert_int_equal(etcd_lease_parse(granted, strlen(granted), &number), 0);
        assert_int_equal(number, 7587869441);
        assert_int_equal(etcd_lease_parse("{}", 2, &number), -EBADMSG);
        assert_int_equal(etcd_keepalive_parse(kept, strlen(kept), &number), 0);
        assert_int_equal(number, 60);
        assert_int_equal(etcd_keepalive_parse(gone, strlen(gone), &number), 0);
        assert_int_equal(number, 0);
        assert_int_equal(etcd_keepalive_parse("{}", 2, &number), -EBADMSG);
}

static int parse_range(const char *data, size_t size)
{
        EtcdRange range;
        int64_t revision;

        return etcd_range_parse(data, size, &range, &revision);
}

static int parse_txn(const char *data, size_t size)
{
        EtcdTxn txn;

        return etcd_txn_parse(data, size, &txn_request, &txn);
}

static int parse_watch(const char *data, size_t size)
{
        EtcdWatchLine line;

        return etcd_watch_line_parse(data, size, &line);
}

static void test_answers_that_are_none_are_refused(_unused_ void **state)
{
        bad_files_refused("etcd-range", -EBADMSG, parse_range);
        bad_files_refused("etcd-members", -EBADMSG, parse_members);
        bad_files_refused("etcd-txn", -EBADMSG, parse_txn);
        bad_files_refused("etcd-watch", -EBADMSG, parse_watch);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_requests_are_what_etcd_wants),
                cmocka_unit_test(test_a_range_answer_is_read),
                cmocka_unit_test(test_a_transaction_tells_whether_it_was_done),
                cmocka_unit_test(test_the_lines_of_a_watch_are_read),
                cmocka_unit_test(test_errors_are_told_in_one_line_that_no_terminal_obeys),
                cmocka_unit_test(test_a_token_can_not_smuggle_headers),
                cmocka_unit_test(test_a_member_tells_its_cluster_and_whether_it_has_a_leader),
                cmocka_unit_test(test_the_members_of_a_cluster_are_read),
                cmocka_unit_test(test_leases_and_their_ends_are_read),
                cmocka_unit_test(test_answers_that_are_none_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
