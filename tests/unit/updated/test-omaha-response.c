#include <dirent.h>

#include "base/io.h"
#include "base/text.h"
#include "omaha-response.h"
#include "unit/unit.h"

#define APP_ID "{E96281A6-D1AF-4BDE-9A0A-97B76E56DC57}"
#define BAD    "tests/bad/updated/omaha"

#define RESPONSE(app) "<response protocol=\"3.0\">" app "</response>"
#define APP(status, content)                                                                 \
        "<app appid=\"e96281a6-d1af-4bde-9a0a-97b76e56dc57\" status=\"" status "\">" content \
        "</app>"

/* Every refusal, and the Omaha number that it is reported with. */
static const struct {
        const char *file;
        UpdateErrorCode code;
} bad[] = {
        { "empty.xml", UPDATE_ERROR_ANSWER_EMPTY },
        { "no-xml.xml", UPDATE_ERROR_ANSWER_XML },
        { "cut-off.xml", UPDATE_ERROR_ANSWER_XML },
        { "two-roots.xml", UPDATE_ERROR_ANSWER_XML },
        { "doctype.xml", UPDATE_ERROR_ANSWER_XML },
        { "entity-bomb.xml", UPDATE_ERROR_ANSWER_XML },
        { "nested.xml", UPDATE_ERROR_ANSWER_XML },
        { "long-names.xml", UPDATE_ERROR_ANSWER_XML },
        { "other-root.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "protocol-2.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "no-protocol.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "other-app.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "no-app.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "app-restricted.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "app-unknown.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "check-error.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "check-no-status.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "no-check.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "check-in-other-app.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "two-checks.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "no-url.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "url-empty.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "url-no-codebase.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "url-newline.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "too-many-urls.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "no-package.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "package-no-name.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "package-name-empty.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "size-missing.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "size-zero.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "size-negative.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "size-hex.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "size-overflow.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "size-above-int64.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "package-sha256-short.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "package-sha256-letters.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "package-sha256-long.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "no-action.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "action-other-event.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "sha256-missing.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "sha256-short.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "sha256-hex.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "sha256-not-canonical.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "sha256-no-padding.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "sha256-blank.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "version-newline.xml", UPDATE_ERROR_ANSWER_INVALID },
        { "version-too-long.xml", UPDATE_ERROR_ANSWER_INVALID },
};

static char *fixture_read(const char *name, size_t *ret_size)
{
        _cleanup_free_ char *path = NULL;
        char *text;

        assert_true(text_format(&path, "%s/" BAD "/%s", getenv("SLUICE_SOURCE"), name) >= 0);
        assert_int_equal(file_read(NULL, path, OMAHA_ANSWER_MAX, &text, ret_size), 0);
        return text;
}

static void test_every_bad_answer_is_refused_with_its_number(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(omaha_response_done) OmahaResponse response = {};
                _cleanup_(update_failure_done) UpdateFailure failure = {};
                size_t size;
                _cleanup_free_ char *text = fixture_read(bad[i].file, &size);

                if (omaha_response_parse(text, size, APP_ID, &response, &failure) != -EBADMSG
                    || failure.code != bad[i].code)
                        fail_msg("%s: %s", bad[i].file, update_failure_text(&failure));
                assert_non_null(failure.text);
        }
}

static void test_every_fixture_is_in_the_table(_unused_ void **state)
{
        _cleanup_free_ char *path = NULL;
        size_t n = 0;
        DIR *directory;

        assert_true(text_format(&path, "%s/" BAD, getenv("SLUICE_SOURCE")) >= 0);
        directory = opendir(path);
        assert_non_null(directory);
        for (struct dirent *entry; (entry = readdir(directory));)
                n += entry->d_name[0] != '.';
        closedir(directory);
        assert_int_equal(n, ELEMENTSOF(bad) + 1); /* and the good one */
}

static void test_the_good_answer_is_understood(_unused_ void **state)
{
        _cleanup_(omaha_response_done) OmahaResponse response = {};
        _cleanup_(update_failure_done) UpdateFailure failure = {};
        size_t size;
        _cleanup_free_ char *text = fixture_read("good.xml", &size);
        static const uint8_t begin[] = { 0xe3, 0xb0, 0xc4, 0x42 };

        assert_int_equal(omaha_response_parse(text, size, APP_ID, &response, &failure), 0);
        assert_int_equal(response.verdict, OMAHA_UPDATE);
        assert_string_equal(response.version, "2.0.0");
        assert_int_equal(response.urls.n_items, 1);
        assert_int_equal(response.n_packages, 1);
        assert_string_equal(response.packages[0].name, "a.payload");
        assert_int_equal(response.packages[0].size, 100);
        assert_int_equal(response.failures_per_url, OMAHA_FAILURES_PER_URL_DEFAULT);
        assert_memory_equal(response.sha256, begin, sizeof(begin));
        assert_false(response.delta);
}

#define PACKAGES_ANSWER(packages)                                                                  \
        RESPONSE(APP("ok", "<updatecheck status=\"ok\"><urls><url codebase=\"http://x/\"/></urls>" \
                           "<manifest version=\"2\"><packages>" packages "</packages><actions>"    \
                           "<action event=\"postinstall\" "                                        \
                           "sha256=\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"/>"             \
                           "</actions></manifest></updatecheck>"))

static void test_hashes_of_packages_come_in_two_spellings(_unused_ void **state)
{
        static const char answer[] = PACKAGES_ANSWER(
                "<package name=\"os.payload\" size=\"1\" required=\"true\" hash_sha256=\"\"/>"
                "<package name=\"oem-qemu.gz\" size=\"2\" hash=\"2jmj7l5rSw0yVb/vlWAYkK/YBwk=\" "
                "hash_sha256="
                "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991B7852B855\"/>"
                "<package name=\"flatcar-python.gz\" size=\"3\" required=\"false\" "
                "hash_sha256=\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"/>");
        _cleanup_(omaha_response_done) OmahaResponse response = {};
        _cleanup_(update_failure_done) UpdateFailure failure = {};

        assert_int_equal(omaha_response_parse(answer, strlen(answer), APP_ID, &response, &failure),
                         0);
        assert_int_equal(response.n_packages, 3);
        assert_false(response.packages[0].hashed);
        assert_true(response.packages[0].required);
        for (size_t i = 1; i < 3; i++) {
                assert_true(response.packages[i].hashed);
                assert_false(response.packages[i].required);
                assert_memory_equal(response.packages[i].sha256, response.sha256, SHA256_SIZE);
        }
}

static void test_answers_without_an_update(_unused_ void **state)
{
        static const struct {
                const char *answer;
                OmahaVerdict verdict;
                uint64_t poll;
                const char *reason;
        } table[] = {
                { RESPONSE(APP("ok", "<updatecheck status=\"noupdate\"/>")), OMAHA_NO_UPDATE, 0,
                  NULL },
                { RESPONSE(APP("ok", "<updatecheck status=\"noupdate\" PollInterval=\"3600\"/>")),
                  OMAHA_NO_UPDATE, 3600, NULL },
                { RESPONSE(APP("ok", "<updatecheck status=\"noupdate\" PollInterval=\"-1\"/>")),
                  OMAHA_NO_UPDATE, 0, NULL },
                { RESPONSE(APP("ok",
                               "<updatecheck status=\"noupdate\" PollInterval=\"99999999999\"/>")),
                  OMAHA_NO_UPDATE, 0, NULL },
                { RESPONSE("<app appid=\"other\" status=\"error-x\"/>" APP(
                          "ok", "<updatecheck status=\"noupdate\"/>")),
                  OMAHA_NO_UPDATE, 0, NULL },
                { RESPONSE(
                          APP("error-updatesDisabled", "<updatecheck status=\"error-internal\"/>")),
                  OMAHA_NOT_NOW, 0, "error-updatesDisabled" },
                { RESPONSE(APP("error-maxConcurrentUpdatesLimitReached", "")), OMAHA_NOT_NOW, 0,
                  "error-maxConcurrentUpdatesLimitReached" },
                { RESPONSE(APP("error-updateInProgressOnInstance", "")), OMAHA_NOT_NOW, 0,
                  "error-updateInProgressOnInstance" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(omaha_response_done) OmahaResponse response = {};
                _cleanup_(update_failure_done) UpdateFailure failure = {};

                if (omaha_response_parse(table[i].answer, strlen(table[i].answer), APP_ID,
                                         &response, &failure)
                    < 0)
                        fail_msg("%s: %s", table[i].answer, update_failure_text(&failure));
                assert_int_equal(response.verdict, table[i].verdict);
                assert_int_equal(response.poll_interval, table[i].poll);
                assert_true(streq_null(response.reason, table[i].reason));
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_bad_answer_is_refused_with_its_number),
                cmocka_unit_test(test_every_fixture_is_in_the_table),
                cmocka_unit_test(test_the_good_answer_is_understood),
                cmocka_unit_test(test_hashes_of_packages_come_in_two_spellings),
                cmocka_unit_test(test_answers_without_an_update),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
