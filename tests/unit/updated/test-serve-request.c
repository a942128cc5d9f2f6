#include "base/io.h"
#include "base/text.h"
#include "serve-request.h"
#include "unit/unit.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<request protocol=\"3.0\">"

static void test_what_a_client_sends_is_understood(_unused_ void **state)
{
        static const char text[] = HEAD
                "<os version=\"Chateau\"><app appid=\"hidden\"/></os>"
                "<app appid=\"{x}\" version=\"1.2\" track=\"beta\" board=\"amd64-usr\" lang=\"en\""
                " machineid=\"0123\" machinealias=\"a &amp; b\" >"
                "<ping active=\"1\"></ping><updatecheck></updatecheck>"
                "<event eventtype=\"3\" eventresult=\"2\" previousversion=\"1.1\"></event>"
                "<event eventtype=\"3\" eventresult=\"0\" errorcode=\"-2147483604\"/>"
                "<other><event eventtype=\"9\"/></other>"
                "</app><app appid=\"&#x7b;y&#x7d;\"/></request>";
        _cleanup_(request_done) Request request = {};
        const char *why = NULL;
        const RequestApp *app;

        assert_int_equal(request_parse(text, strlen(text), &request, &why), 0);
        assert_int_equal(request.n_apps, 2);
        app = &request.apps[0];
        assert_string_equal(app->appid, "{x}");
        assert_string_equal(app->version, "1.2");
        assert_string_equal(app->track, "beta");
        assert_string_equal(app->board, "amd64-usr");
        assert_string_equal(app->machine_id, "0123");
        assert_true(app->ping && app->update_check);
        assert_int_equal(app->n_events, 2);
        assert_int_equal(app->events[0].type, 3);
        assert_int_equal(app->events[0].result, 2);
        assert_int_equal(app->events[0].error_code, 0);
        assert_string_equal(app->events[0].previous_version, "1.1");
        assert_true(app->events[1].error_code == INT64_C(-2147483604));

        app = &request.apps[1];
        assert_string_equal(app->appid, "{y}");
        assert_string_equal(app->version, "");
        assert_false(app->ping || app->update_check);
}

static void test_the_largest_legal_request_is_accepted(_unused_ void **state)
{
        static const char tail[] = "</request>";
        _cleanup_free_ char *text = malloc(REQUEST_SIZE_MAX + 1);
        _cleanup_(request_done) Request request = {};
        const char *why = NULL;

        assert_non_null(text);
        memset(text, ' ', REQUEST_SIZE_MAX + 1);
        memcpy(text, HEAD, strlen(HEAD));
        memcpy(text + REQUEST_SIZE_MAX - strlen(tail), tail, strlen(tail));
        assert_int_equal(request_parse(text, REQUEST_SIZE_MAX, &request, &why), 0);
        assert_int_equal(request_parse(text, REQUEST_SIZE_MAX + 1, &request, &why), -EBADMSG);
}

/* Each file of tests/bad/serve-request, and a word of the reason that is given. */
static const struct {
        const char *file, *why;
} bad[] = {
        { "empty", "no element" },
        { "not-xml", "not well-formed" },
        { "billion-laughs", "document type" },
        { "external-entity", "document type" },
        { "other-root", "root element" },
        { "protocol-2", "protocol" },
        { "no-protocol", "protocol" },
        { "unclosed", "no element" },
        { "trailing-garbage", "junk" },
        { "two-roots", "junk" },
        { "duplicate-attribute", "duplicate" },
        { "quote-in-attribute", "not well-formed" },
        { "nul-byte", "not well-formed" },
        { "bad-utf8", "not well-formed" },
        { "unknown-encoding", "unknown encoding" },
        { "too-deep", "nested too deep" },
        { "too-many-apps", "too many apps" },
        { "too-many-events", "too many events" },
        { "long-attribute", "too long" },
        { "no-appid", "no appid" },
        { "event-word", "no number" },
        { "event-overflow", "no number" },
};

static void test_every_bad_request_is_refused_for_its_reason(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_free_ char *path = NULL, *text = NULL;
                Request request = {};
                const char *why = NULL;
                size_t size;

                assert_true(text_format(&path, "/tests/bad/serve-request/%s", bad[i].file) >= 0);
                assert_int_equal(
                        file_read(getenv("SLUICE_SOURCE"), path, REQUEST_SIZE_MAX, &text, &size),
                        0);
                assert_int_equal(request_parse(text, size, &request, &why), -EBADMSG);
                assert_null(request.apps);
                if (!strstr(why, bad[i].why))
                        fail_msg("%s: \"%s\" is not \"%s\"", bad[i].file, why, bad[i].why);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_a_client_sends_is_understood),
                cmocka_unit_test(test_the_largest_legal_request_is_accepted),
                cmocka_unit_test(test_every_bad_request_is_refused_for_its_reason),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
