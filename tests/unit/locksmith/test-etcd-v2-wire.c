#include "locksmith/api-choice.h"
#include "locksmith/etcd-v2-wire.h"
#include "unit/locksmith/bad.h"
#include "unit/unit.h"

#define KEY "coreos.com/updateengine/rebootlock/semaphore"

static void test_requests_are_what_etcd_wants(_unused_ void **state)
{
        static const struct {
                const char *key, *query, *path;
        } paths[] = {
                { KEY, "quorum=true", "/v2/keys/" KEY "?quorum=true" },
                { "a%2Fb+c", "", "/v2/keys/a%252Fb+c?" },
                { "a b/\xc3\xa9", "", "/v2/keys/a%20b/%C3%A9?" },
                { "..a/.b", "", "/v2/keys/..a/.b?" },
        };
        static const char *const unclean[] = { "", "a/", "a//b", ".", "a/..", "a/./b", "/a" };

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                _cleanup_free_ char *path = NULL;

                assert_int_equal(etcd_v2_path_build(paths[i].key, paths[i].query, &path), 0);
                assert_string_equal(path, paths[i].path);
        }
        for (size_t i = 0; i < ELEMENTSOF(unclean); i++) {
                char *path;

                assert_int_equal(etcd_v2_path_build(unclean[i], "", &path), -EINVAL);
        }
}

static void test_forms_are_escaped(_unused_ void **state)
{
        _cleanup_free_ char *value = NULL, *ticket = NULL, *beat = NULL;

        assert_int_equal(etcd_v2_form_build("{\"a\":[\"b&c=d+e\"]}", 0, &value), 0);
        assert_string_equal(value, "value=%7B%22a%22%3A%5B%22b%26c%3Dd%2Be%22%5D%7D");
        assert_int_equal(etcd_v2_form_build("x", 60, &ticket), 0);
        assert_string_equal(ticket, "value=x&ttl=60");
        assert_int_equal(etcd_v2_form_build(NULL, 60, &beat), 0);
        assert_string_equal(beat, "refresh=true&ttl=60");
}

/* As etcd 3.4.23 was seen to answer. */
static void test_answers_are_read(_unused_ void **state)
{
        static const struct {
                const char *text, *key, *value;
                unsigned error;
                int64_t index, created, modified;
                bool gone;
        } table[] = {
                { "{\"action\":\"get\",\"node\":{\"key\":\"/k\",\"value\":\"v\",\"modifiedIndex\":9,\"createdIndex\":8}}",
                  "k", "v", 0, 0, 8, 9, false },
                { "{\"action\":\"compareAndSwap\",\"node\":{\"key\":\"/k\",\"value\":\"v\",\"modifiedIndex\":1572,"
                  "\"createdIndex\":1571},\"prevNode\":{\"key\":\"/k\",\"value\":\"u\",\"modifiedIndex\":1571,\"createdIndex\":1571}}",
                  "k", "v", 0, 0, 1571, 1572, false },
                { "{\"action\":\"delete\",\"node\":{\"key\":\"/k\",\"modifiedIndex\":7,\"createdIndex\":4},"
                  "\"prevNode\":{\"key\":\"/k\",\"value\":\"y\",\"modifiedIndex\":6,\"createdIndex\":4}}",
                  "k", "", 0, 0, 4, 7, true },
                { "{\"action\":\"expire\",\"node\":{\"key\":\"/k\",\"modifiedIndex\":7,\"createdIndex\":4}}",
                  "k", "", 0, 0, 4, 7, true },
                { "{\"errorCode\":101,\"message\":\"Compare failed\",\"cause\":\"[1 != 1572]\",\"index\":1572}",
                  NULL, NULL, ETCD_V2_COMPARE_FAILED, 1572, 0, 0, false },
                { "{\"errorCode\":401,\"message\":\"The event in requested index is outdated and cleared\","
                  "\"cause\":\"the requested history has been cleared [573/1]\",\"index\":1572}",
                  NULL, NULL, ETCD_V2_EVENT_INDEX_CLEARED, 1572, 0, 0, false },
                { "{\"errorCode\":300,\"message\":\"Raft Internal Error\",\"cause\":\"\\u001b[2J\",\"index\":0}",
                  NULL, NULL, ETCD_V2_RAFT_INTERNAL, 0, 0, 0, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(etcd_v2_answer_done) EtcdV2Answer answer = {};

                assert_int_equal(
                        etcd_v2_answer_parse(table[i].text, strlen(table[i].text), "k", &answer),
                        0);
                assert_int_equal(answer.error, table[i].error);
                assert_int_equal(answer.index, table[i].index);
                assert_int_equal(answer.gone, table[i].gone);
                assert_int_equal(answer.key.create_revision, table[i].created);
                assert_int_equal(answer.key.mod_revision, table[i].modified);
                assert_null(strchr(answer.why, '\033'));
                if (!table[i].key) {
                        assert_null(answer.key.key);
                        continue;
                }
                assert_string_equal(answer.key.key, table[i].key);
                assert_string_equal(answer.key.value, table[i].value);
        }
}

static const char directory[] =
        "{\"action\":\"get\",\"node\":{\"key\":\"/q\",\"dir\":true,\"nodes\":["
        "{\"key\":\"/q/c\",\"value\":\"3\",\"ttl\":59,\"modifiedIndex\":30,\"createdIndex\":7},"
        "{\"key\":\"/q/d\",\"dir\":true,\"modifiedIndex\":5,\"createdIndex\":5},"
        "{\"key\":\"/q/a\",\"value\":\"1\",\"modifiedIndex\":20,\"createdIndex\":5},"
        "{\"key\":\"/q/b\",\"value\":\"2\",\"modifiedIndex\":6,\"createdIndex\":6}],"
        "\"modifiedIndex\":4,\"createdIndex\":4}}";

static void test_a_directory_is_told_by_age(_unused_ void **state)
{
        static const struct {
                int64_t max;
                bool youngest;
                const char *names; /* of the keys that are left, one letter each */
        } table[] = {
                { 0, false, "abc" }, { 6, false, "ab" }, { 4, false, "" }, { 0, true, "c" },
                { 6, true, "b" },    { 5, true, "a" },   { 4, true, "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(etcd_v2_answer_done) EtcdV2Answer answer = {};

                assert_int_equal(etcd_v2_answer_parse(directory, strlen(directory), "q", &answer),
                                 0);
                assert_true(answer.directory);
                etcd_v2_range_select(&answer.keys,
                                     &(EtcdRangeRequest) { .key = "q",
                                                           .prefix = true,
                                                           .youngest = table[i].youngest,
                                                           .max_create_revision = table[i].max });
                assert_int_equal(answer.keys.n_keys, strlen(table[i].names));
                for (size_t j = 0; j < answer.keys.n_keys; j++)
                        assert_int_equal(answer.keys.keys[j].key[2], table[i].names[j]);
        }
}

static int parse_answer(const char *text, size_t size)
{
        EtcdV2Answer answer;

        return etcd_v2_answer_parse(text, size, "k", &answer);
}

static int parse_status(const char *text, size_t size)
{
        EtcdStatus status;

        return etcd_v2_status_parse(text, size, &status);
}

static void test_what_is_no_answer_is_refused(_unused_ void **state)
{
        bad_files_refused("etcd-v2-answer", -EBADMSG, parse_answer);
        bad_files_refused("etcd-v2-status", -EBADMSG, parse_status);
}

static void test_members_tell_about_themselves(_unused_ void **state)
{
        static const char self[] =
                "{\"name\":\"m\",\"id\":\"1421b0421f67d864\",\"state\":\"StateLeader\","
                "\"leaderInfo\":{\"leader\":\"1421b0421f67d864\",\"uptime\":\"2.6s\"}}";
        static const char members[] =
                "{\"members\":[{\"id\":\"1421b0421f67d864\",\"name\":\"m\",\"peerURLs\":[\"http://127.0.0.1:2380\"],"
                "\"clientURLs\":[\"http://127.0.0.1:2379\"]}]}";
        _cleanup_(etcd_members_done) EtcdMembers list = {};
        EtcdStatus status;

        assert_int_equal(etcd_v2_status_parse(self, strlen(self), &status), 0);
        assert_string_equal(status.member_id, "1421b0421f67d864");
        assert_false(status.has_leader); /* it is said there, but not to be believed */
        assert_int_equal(etcd_v2_members_parse(members, strlen(members), &list), 0);
        assert_int_equal(list.n_members, 1);
        assert_string_equal(list.members[0].id, "1421b0421f67d864");
        assert_string_equal(list.members[0].peer_urls.items[0], "http://127.0.0.1:2380");
}

static void test_only_true_is_healthy(_unused_ void **state)
{
        static const struct {
                const char *text;
                bool healthy;
        } table[] = {
                { "{\"health\":\"true\"}", true },
                { "{\"health\":\"false\"}", false },
                { "{\"health\":true}", false },
                { "{\"health\":\"true\"", false },
                { "[]", false },
                { "", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_int_equal(etcd_v2_health_parse(table[i].text, strlen(table[i].text)),
                                 table[i].healthy);
}

/* A view in four letters: s served, e exists, m moved; then the holders. */
static ApiView view_of(const char *letters, const char *holders)
{
        ApiView view = {
                .served = strchr(letters, 's'),
                .exists = strchr(letters, 'e'),
                .moved = strchr(letters, 'm'),
        };

        assert_int_equal(text_list_split(&view.semaphore.holders, holders, ","), 0);
        return view;
}

static void test_one_api_counts_and_never_two(_unused_ void **state)
{
        static const struct {
                const char *v3, *v3_holders, *v2, *v2_holders;
                int choice;
        } table[] = {
                { "s", "", "", "", ETCD_API_V3 }, /* a new etcd, a new lock */
                { "s", "", "s", "", ETCD_API_V3 },
                { "", "", "s", "", ETCD_API_V2 }, /* an old etcd */
                { "", "", "se", "a", ETCD_API_V2 },
                { "se", "a", "", "", ETCD_API_V3 },
                { "se", "a", "s", "", ETCD_API_V3 },
                { "s", "", "se", "a", ETCD_API_V2 }, /* old hosts use it there */
                { "s", "", "se", "", ETCD_API_V2 },
                { "se", "", "se", "", ETCD_API_V3 }, /* an old tool looked, and made a key */
                { "se", "a,b", "se", "a,b", ETCD_API_V3 },
                { "se", "a", "se", "", -EADDRINUSE },
                { "se", "", "se", "a", -EADDRINUSE },
                { "se", "a", "se", "b", -EADDRINUSE },
                { "se", "a", "sem", "b", ETCD_API_V3 }, /* moved from v2 to v3 */
                { "sem", "a", "se", "b", ETCD_API_V2 }, /* and the other way */
                { "sem", "", "s", "", ETCD_API_V2 },
                { "sem", "", "sem", "", ETCD_API_V2 },
                { "sem", "", "", "", ETCD_API_V3 }, /* there is no v2 to have gone to */
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                ApiView v3 = view_of(table[i].v3, table[i].v3_holders);
                ApiView v2 = view_of(table[i].v2, table[i].v2_holders);

                print_message("# case %zu\n", i);
                assert_int_equal((int)api_choose(&v3, &v2), table[i].choice);
                semaphore_done(&v3.semaphore);
                semaphore_done(&v2.semaphore);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_requests_are_what_etcd_wants),
                cmocka_unit_test(test_forms_are_escaped),
                cmocka_unit_test(test_answers_are_read),
                cmocka_unit_test(test_a_directory_is_told_by_age),
                cmocka_unit_test(test_what_is_no_answer_is_refused),
                cmocka_unit_test(test_members_tell_about_themselves),
                cmocka_unit_test(test_only_true_is_healthy),
                cmocka_unit_test(test_one_api_counts_and_never_two),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
