#include "serve-answer.h"
#include "unit/unit.h"

#define APPID    CATALOGUE_APPID
#define CODEBASE "http://lab:8080/payloads/"

static const char catalogue_text[] =
        "{\"format\": 1, \"payloads\": [{\"appid\": \"" APPID "\", \"board\": \"\","
        " \"version\": \"1.10.0\", \"name\": \"1.10.0-96b9.payload\", \"size\": 3000004,"
        " \"sha256\": \"96b9ac70a9dd66b1d41f068b0d18f9638df2b0c08cf9218fe06462dae309f874\","
        " \"sha256_base64\": \"lrmscKndZrHUHwaLDRj5Y43ysMCM+SGP4GRi2uMJ+HQ=\","
        " \"sha1_base64\": \"xhFKH9FLwYfPP3pAVJR7olO3s8Q=\","
        " \"published\": \"2026-01-02T03:04:05Z\"}],"
        " \"channels\": [{\"appid\": \"" APPID "\", \"board\": \"\", \"channel\": \"stable\","
        " \"version\": \"1.10.0\", \"published\": \"2026-01-02T03:04:05Z\"}]}";

static Catalogue catalogue_make(void)
{
        Catalogue catalogue;
        char *why;

        assert_int_equal(catalogue_parse(catalogue_text, strlen(catalogue_text), &catalogue, &why),
                         0);
        return catalogue;
}

/* The texts are borrowed. */
static RequestApp app_make(const char *appid, const char *version, const char *track)
{
        return (RequestApp) {
                .appid = (char *)appid,
                .version = (char *)version,
                .track = (char *)track,
                .board = (char *)"amd64-usr",
                .machine_id = (char *)"0123",
                .update_check = true,
        };
}

static void test_an_update_is_what_is_newer_in_the_channel(_unused_ void **state)
{
        static const struct {
                const char *appid, *version, *track;
                const char *app_status, *check_status;
        } table[] = {
                { APPID, "1.9.0", "stable", "ok", "ok" },
                { APPID, "1.10.0", "stable", "ok", "noupdate" },
                { APPID, "1.11.0", "stable", "ok", "noupdate" },
                { APPID, "10.0.0", "stable", "ok", "noupdate" },
                { "{E96281A6-D1AF-4BDE-9A0A-97B76E56DC57}", "1.9.0", "stable", "ok", "ok" },
                { APPID, "", "stable", "error-invalidVersion", NULL },
                { APPID, "1.9.0", "beta", "error-unknownApplicationOrGroup", "error-internal" },
                { APPID, "1.9.0", "", "error-unknownApplicationOrGroup", "error-internal" },
                { "{other}", "1.9.0", "stable", "error-unknownApplication", NULL },
        };
        _cleanup_(catalogue_done) Catalogue catalogue = catalogue_make();

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                RequestApp app = app_make(table[i].appid, table[i].version, table[i].track);
                Answer answer = answer_decide(&catalogue, &app);

                assert_string_equal(answer.app_status, table[i].app_status);
                assert_true(streq_null(answer.check_status, table[i].check_status));
                assert_int_equal(!!answer.offer, streq_null(table[i].check_status, "ok"));
        }
}

static char *format(const Catalogue *catalogue, RequestApp *app)
{
        Request request = { .apps = app, .n_apps = 1 };
        Answer answer = answer_decide(catalogue, app);
        char *text;
        size_t size;

        assert_int_equal(answer_format(&request, &answer, CODEBASE,
                                       (3 * USEC_PER_DAY) + 7 * USEC_PER_SEC, &text, &size),
                         0);
        assert_int_equal(size, strlen(text));
        return text;
}

static void test_an_offer_has_everything_that_clients_read(_unused_ void **state)
{
        static const char expected[] =
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                "<response protocol=\"3.0\" server=\"update-serve\">\n"
                " <daystart elapsed_seconds=\"7\"/>\n"
                " <app appid=\"" APPID "\" status=\"ok\">\n"
                "  <ping status=\"ok\"/>\n"
                "  <updatecheck status=\"ok\">\n"
                "   <urls>\n"
                "    <url codebase=\"http://lab:8080/payloads/\"/>\n"
                "   </urls>\n"
                "   <manifest version=\"1.10.0\">\n"
                "    <packages>\n"
                "     <package name=\"1.10.0-96b9.payload\" hash=\"xhFKH9FLwYfPP3pAVJR7olO3s8Q=\""
                " hash_sha256=\"96b9ac70a9dd66b1d41f068b0d18f9638df2b0c08cf9218fe06462dae309f874\""
                " size=\"3000004\" required=\"true\"/>\n"
                "    </packages>\n"
                "    <actions>\n"
                "     <action event=\"postinstall\" DisplayVersion=\"1.10.0\""
                " sha256=\"lrmscKndZrHUHwaLDRj5Y43ysMCM+SGP4GRi2uMJ+HQ=\" needsadmin=\"false\""
                " IsDeltaPayload=\"false\" DisablePayloadBackoff=\"true\"/>\n"
                "    </actions>\n"
                "   </manifest>\n"
                "  </updatecheck>\n"
                "  <event status=\"ok\"/>\n"
                " </app>\n"
                "</response>\n";
        _cleanup_(catalogue_done) Catalogue catalogue = catalogue_make();
        RequestApp app = app_make(APPID, "1.9.0", "stable");
        _cleanup_free_ char *text = NULL;

        app.ping = true;
        app.n_events = 1;
        text = format(&catalogue, &app);
        assert_string_equal(text, expected);
}

static void test_packages_follow_the_payload_below_its_name(_unused_ void **state)
{
        static const CatalogueFile package = {
                "oem-qemu.gz", "96b9ac70a9dd66b1d41f068b0d18f9638df2b0c08cf9218fe06462dae309f874",
                "xhFKH9FLwYfPP3pAVJR7olO3s8Q=", 7
        };
        _cleanup_(catalogue_done) Catalogue catalogue = catalogue_make();
        RequestApp app = app_make(APPID, "1.9.0", "stable");
        _cleanup_free_ char *text = NULL;

        assert_int_equal(catalogue_add_package(&catalogue, &catalogue.payloads[0], &package), 0);
        text = format(&catalogue, &app);
        assert_non_null(strstr(text, "codebase=\"http://lab:8080/payloads/1.10.0-96b9.payload/\""));
        assert_non_null(strstr(
                text, "size=\"3000004\" required=\"true\"/>\n"
                      "     <package name=\"oem-qemu.gz\" hash=\"xhFKH9FLwYfPP3pAVJR7olO3s8Q=\" "
                      "hash_sha256="
                      "\"96b9ac70a9dd66b1d41f068b0d18f9638df2b0c08cf9218fe06462dae309f874\" "
                      "size=\"7\" required=\"false\"/>\n    </packages>"));
}

static void test_an_event_alone_is_acknowledged_alone(_unused_ void **state)
{
        _cleanup_(catalogue_done) Catalogue catalogue = catalogue_make();
        RequestApp app = app_make(APPID, "1.9.0", "unheard-of");
        _cleanup_free_ char *text = NULL;

        app.update_check = false;
        app.n_events = 1;
        text = format(&catalogue, &app);
        assert_non_null(strstr(text, " status=\"ok\">\n  <event status=\"ok\"/>\n </app>"));
        assert_null(strstr(text, "updatecheck"));
}

static void test_what_a_client_calls_itself_can_not_break_the_xml(_unused_ void **state)
{
        _cleanup_(catalogue_done) Catalogue catalogue = catalogue_make();
        RequestApp app = app_make("a\"/><x>&'\n\xc3\xa9", "1", "stable");
        _cleanup_free_ char *text = format(&catalogue, &app);

        assert_non_null(strstr(text, "<app appid=\"a&#34;/&#62;&#60;x&#62;&#38;&#39;&#10;\xc3\xa9\""
                                     " status=\"error-unknownApplication\">"));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_an_update_is_what_is_newer_in_the_channel),
                cmocka_unit_test(test_an_offer_has_everything_that_clients_read),
                cmocka_unit_test(test_packages_follow_the_payload_below_its_name),
                cmocka_unit_test(test_an_event_alone_is_acknowledged_alone),
                cmocka_unit_test(test_what_a_client_calls_itself_can_not_break_the_xml),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
