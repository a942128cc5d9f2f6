#include "locksmith/fleetlock-wire.h"
#include "locksmith/host-id.h"
#include "unit/locksmith/bad.h"
#include "unit/unit.h"

static void test_requests_are_as_zincati_sends_them(_unused_ void **state)
{
        /* Zincati prints it over several lines; both must be read. */
        static const char pretty[] = "{\n  \"client_params\": {\n    \"id\": \"0123\",\n"
                                     "    \"group\": \"default\"\n  }\n}";
        _cleanup_(fleetlock_request_done) FleetlockRequest request = {}, ours = {};
        _cleanup_free_ char *text = NULL;
        const char *why;

        assert_int_equal(fleetlock_request_parse(pretty, strlen(pretty), &request, &why), 0);
        assert_string_equal(request.id, "0123");
        assert_string_equal(request.group, "default");
        assert_int_equal(fleetlock_request_build("0123", "default", &text), 0);
        assert_string_equal(text, "{\"client_params\":{\"id\":\"0123\",\"group\":\"default\"}}");
        assert_int_equal(fleetlock_request_parse(text, strlen(text), &ours, &why), 0);
        assert_string_equal(ours.id, "0123");
}

static int parse_request(const char *body, size_t size)
{
        FleetlockRequest request;
        const char *why = NULL;
        int r = fleetlock_request_parse(body, size, &request, &why);

        assert_non_null(why);
        return r;
}

static void test_what_is_no_request_is_refused(_unused_ void **state)
{
        bad_files_refused("fleetlock-request", -EBADMSG, parse_request);
}

static void test_groups_are_as_the_protocol_says(_unused_ void **state)
{
        static const char *const good[] = { "default", "a", "A-9.b", "..." };
        static const char *const bad[] = { "", ".", "..", "a/b", "a b", "a_b", "\xc3\xa9", "a\n" };
        char longest[FLEETLOCK_NAME_MAX + 2];

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_true(fleetlock_group_is_valid(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_false(fleetlock_group_is_valid(bad[i]));
        memset(longest, 'a', sizeof(longest));
        longest[FLEETLOCK_NAME_MAX + 1] = 0;
        assert_false(fleetlock_group_is_valid(longest));
        longest[FLEETLOCK_NAME_MAX] = 0;
        assert_true(fleetlock_group_is_valid(longest));
}

static void test_errors_can_be_shown(_unused_ void **state)
{
        static const struct {
                const char *body, *kind, *value;
        } table[] = {
                { "{\"kind\":\"failed_lock\",\"value\":\"all 1 semaphore slots currently locked\"}\n",
                  "failed_lock", "all 1 semaphore slots currently locked" },
                { "{\"kind\":\"a\\u001b[2J\",\"value\":\"b\\nc\"}", "a?[2J", "b c" },
                { "{\"kind\":7,\"value\":[]}", "", "" },
                { "<html>", "", "" },
                { "", "", "" },
        };
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                char kind[FLEETLOCK_KIND_MAX], value[FLEETLOCK_VALUE_MAX];

                fleetlock_error_parse(table[i].body, strlen(table[i].body), kind, value);
                assert_string_equal(kind, table[i].kind);
                assert_string_equal(value, table[i].value);
        }
        assert_int_equal(fleetlock_error_build(FLEETLOCK_BUSY, "x \033 \"y\"", &text), 0);
        assert_string_equal(text, "{\"kind\":\"failed_lock\",\"value\":\"x ? \\\"y\\\"\"}");
}

/* What systemd-id128 machine-id --app-specific=de35106b6ec24688b63afddaa156679b prints for these. */
static void test_the_id_is_that_of_zincati(_unused_ void **state)
{
        static const char *const bad[] = { "", "0123", "0123456789abcdef0123456789abcdeg",
                                           "0123456789ABCDEF0123456789abcdef",
                                           "0123456789abcdef0123456789abcdef0" };
        _cleanup_free_ char *id = NULL;

        assert_int_equal(host_id_for_fleetlock("0123456789abcdef0123456789abcdef", &id), 0);
        assert_string_equal(id, "583627a932274834a8ebd99f4ed41c0d");
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                char *none;

                assert_int_equal(host_id_for_fleetlock(bad[i], &none), -EBADMSG);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_requests_are_as_zincati_sends_them),
                cmocka_unit_test(test_what_is_no_request_is_refused),
                cmocka_unit_test(test_groups_are_as_the_protocol_says),
                cmocka_unit_test(test_errors_can_be_shown),
                cmocka_unit_test(test_the_id_is_that_of_zincati),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
