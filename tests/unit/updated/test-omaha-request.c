#include "base/text.h"
#include "omaha-error.h"
#include "omaha-request.h"
#include "unit/unit.h"
#include "version.h"

#define HEAD(source)                                                                      \
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                                    \
        "<request protocol=\"3.0\" version=\"update_engine-" SLUICE_VERSION               \
        "\" updaterversion=\"update_engine-" SLUICE_VERSION "\" installsource=\"" source  \
        "\" ismachine=\"1\">\n"                                                           \
        "    <os version=\"Chateau\" platform=\"CoreOS\" sp=\"4000.0.0_x86_64\"></os>\n"  \
        "    <app appid=\"{e96281a6-d1af-4bde-9a0a-97b76e56dc57}\" version=\"4000.0.0\" " \
        "track=\"stable\" bootid=\"{c1bc492a}\" oem=\"qemu\" oemversion=\"0.0.1\" "       \
        "alephversion=\"3999.0.0\" machineid=\"0123456789abcdef0123456789abcdef\" machinealias=\""

#define MIDDLE "\" lang=\"en-US\" board=\"amd64-usr\" hardware_class=\"\" delta_okay=\"false\" >\n"

#define FOOT "    </app>\n</request>\n"

static Host host = {
        .version = (char *)"4000.0.0",
        .board = (char *)"amd64-usr",
        .app_id = (char *)"{e96281a6-d1af-4bde-9a0a-97b76e56dc57}",
        .oem = (char *)"qemu",
        .oem_version = (char *)"0.0.1",
        .machine_id = (char *)"0123456789abcdef0123456789abcdef",
        .boot_id = (char *)"c1bc492a",
        .machine = (char *)"x86_64",
};

static void check(const OmahaRequest *request, const char *alias, const char *wanted)
{
        Config config = { .group = (char *)"stable", .machine_alias = (char *)alias };
        OmahaRequest whole = *request;
        char *text;

        whole.host = &host;
        whole.config = &config;
        whole.aleph_version = "3999.0.0";
        assert_int_equal(omaha_request_build(&whole, &text), 0);
        assert_string_equal(text, wanted);
        free(text);
}

static void test_an_update_check_is_that_of_the_original_to_the_byte(_unused_ void **state)
{
        const OmahaEvent event = {
                .type = OMAHA_EVENT_UPDATE_COMPLETE,
                .result = OMAHA_RESULT_SUCCESS_REBOOT,
                .previous_version = "0.0.0.0",
        };
        const OmahaRequest request = {
                .on_demand = true, .ping = true, .check = true, .event = &event
        };

        check(&request, "mybox",
              HEAD("ondemandupdate") "mybox" MIDDLE "        <ping active=\"1\"></ping>\n"
                                     "        <updatecheck></updatecheck>\n"
                                     "        <event eventtype=\"3\" eventresult=\"2\" "
                                     "previousversion=\"0.0.0.0\"></event>\n" FOOT);
}

static void test_messages_carry_only_what_they_are_for(_unused_ void **state)
{
        const OmahaEvent download = { .type = OMAHA_EVENT_DOWNLOAD_STARTED,
                                      .result = OMAHA_RESULT_SUCCESS };
        const OmahaEvent failed = { .type = OMAHA_EVENT_UPDATE_COMPLETE,
                                    .result = OMAHA_RESULT_ERROR,
                                    .error = OMAHA_ERROR_FLAG_SERVER | 2500 };
        const OmahaEvent flagged = { .type = OMAHA_EVENT_UPDATE_COMPLETE,
                                     .result = OMAHA_RESULT_ERROR,
                                     .error = UINT32_C(1) << 31 | 1 };

        check(&(OmahaRequest) { .ping = true }, "",
              HEAD("scheduler") MIDDLE "        <ping active=\"1\"></ping>\n" FOOT);
        check(&(OmahaRequest) { .event = &download }, "",
              HEAD("scheduler") MIDDLE
              "        <event eventtype=\"13\" eventresult=\"1\"></event>\n" FOOT);
        check(&(OmahaRequest) { .event = &failed }, "",
              HEAD("scheduler") MIDDLE "        <event eventtype=\"3\" eventresult=\"0\" "
                                       "errorcode=\"268437956\"></event>\n" FOOT);
        check(&(OmahaRequest) { .event = &flagged }, "",
              HEAD("scheduler") MIDDLE "        <event eventtype=\"3\" eventresult=\"0\" "
                                       "errorcode=\"-2147483647\"></event>\n" FOOT);
}

static void test_values_are_escaped(_unused_ void **state)
{
        static const struct {
                const char *value, *escaped;
        } table[] = {
                { "a \"b\" 'c'", "a &quot;b&quot; 'c'" },
                { "<&>", "&lt;&amp;&gt;" },
                { "\r\n\t", "&#13;&#10;&#9;" },
                { "gr\xc3\xbcn", "gr&#xFC;n" },
                { "\xe2\x82\xac", "&#x20AC;" },
                { "\xf0\x9f\x98\x80", "&#x1F600;" },
                { "a\x01\x7f"
                  "b",
                  "ab" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *wanted = NULL;

                assert_true(text_format(&wanted, "%s%s%s", HEAD("scheduler"), table[i].escaped,
                                        MIDDLE FOOT)
                            >= 0);
                check(&(OmahaRequest) {}, table[i].value, wanted);
        }
}

static void test_a_request_that_no_server_would_take_is_not_made(_unused_ void **state)
{
        _cleanup_free_ char *alias = malloc(100 * KIB);
        Config config = { .group = (char *)"stable", .machine_alias = alias };
        const OmahaRequest request = { .host = &host, .config = &config, .aleph_version = "" };
        char *text;

        assert_non_null(alias);
        memset(alias, 'a', 100 * KIB - 1);
        alias[100 * KIB - 1] = 0;
        assert_int_equal(omaha_request_build(&request, &text), -EFBIG);
        memcpy(alias, "a\xf0", 3); /* the beginning of a character, and then nothing */
        assert_int_equal(omaha_request_build(&request, &text), -EBADMSG);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_an_update_check_is_that_of_the_original_to_the_byte),
                cmocka_unit_test(test_messages_carry_only_what_they_are_for),
                cmocka_unit_test(test_values_are_escaped),
                cmocka_unit_test(test_a_request_that_no_server_would_take_is_not_made),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
