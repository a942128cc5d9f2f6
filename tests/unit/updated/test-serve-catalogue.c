#include "base/io.h"
#include "base/text.h"
#include "serve-catalogue.h"
#include "unit/unit.h"

#define SHA256 "96b9ac70a9dd66b1d41f068b0d18f9638df2b0c08cf9218fe06462dae309f874"

static CataloguePayload payload_make(const char *version, const char *board)
{
        return (CataloguePayload) {
                .appid = CATALOGUE_APPID,
                .board = board,
                .version = version,
                .name = version, /* a version is a valid name too */
                .sha256 = SHA256,
                .sha256_base64 = "lrmscKndZrHUHwaLDRj5Y43ysMCM+SGP4GRi2uMJ+HQ=",
                .sha1_base64 = "xhFKH9FLwYfPP3pAVJR7olO3s8Q=",
                .published = "2026-01-02T03:04:05Z",
                .size = 5,
        };
}

static CatalogueChannel channel_make(const char *name, const char *version, const char *board)
{
        return (CatalogueChannel) {
                .appid = CATALOGUE_APPID,
                .board = board,
                .name = name,
                .version = version,
                .published = "2026-01-02T03:04:05Z",
        };
}

static void add(Catalogue *catalogue, const char *version, const char *board)
{
        CataloguePayload payload = payload_make(version, board);

        assert_int_equal(catalogue_add_payload(catalogue, &payload), 0);
}

static int lead(Catalogue *catalogue, const char *name, const char *version, const char *board)
{
        CatalogueChannel channel = channel_make(name, version, board);

        return catalogue_set_channel(catalogue, &channel);
}

static const char *leads_to(const Catalogue *catalogue, const char *name, const char *board)
{
        const CatalogueChannel *channel =
                catalogue_find_channel(catalogue, CATALOGUE_APPID, board, name);

        return channel ? channel->payload->version : "nothing";
}

static void test_what_is_written_is_read_again(_unused_ void **state)
{
        char *directory = directory_make();
        _cleanup_(catalogue_done) Catalogue first = {}, second = {};
        _cleanup_free_ char *why = NULL;

        assert_int_equal(catalogue_read(directory, &first, &why), 0);
        assert_int_equal(first.n_payloads, 0);
        add(&first, "1.0", "");
        add(&first, "1.1", "");
        assert_int_equal(lead(&first, "stable", "1.0", ""), 0);
        assert_int_equal(lead(&first, "beta", "1.1", ""), 0);
        assert_int_equal(lead(&first, "stable", "1.1", ""), 0);
        assert_int_equal(catalogue_write(directory, &first), 0);

        assert_int_equal(catalogue_read(directory, &second, &why), 0);
        assert_int_equal(second.n_payloads, 2);
        assert_int_equal(second.n_channels, 2);
        assert_string_equal(leads_to(&second, "stable", ""), "1.1");
        assert_int_equal(catalogue_find_name(&second, "1.0")->size, 5);
        assert_null(catalogue_find_name(&second, "1.2"));
}

static void test_a_board_has_its_own_channel_or_the_common_one(_unused_ void **state)
{
        char *directory = directory_make();
        _cleanup_(catalogue_done) Catalogue catalogue = {};
        _cleanup_free_ char *why = NULL;

        assert_int_equal(catalogue_read(directory, &catalogue, &why), 0);
        add(&catalogue, "1.0", "");
        add(&catalogue, "1.1", "arm64-usr");
        assert_int_equal(lead(&catalogue, "stable", "1.0", ""), 0);
        assert_int_equal(lead(&catalogue, "stable", "1.1", "arm64-usr"), 0);
        assert_int_equal(lead(&catalogue, "beta", "1.1", "arm64-usr"), 0);

        assert_string_equal(leads_to(&catalogue, "stable", "amd64-usr"), "1.0");
        assert_string_equal(leads_to(&catalogue, "stable", "arm64-usr"), "1.1");
        assert_string_equal(leads_to(&catalogue, "beta", "amd64-usr"), "nothing");
        assert_string_equal(leads_to(&catalogue, "Stable", ""), "nothing");
        assert_true(catalogue_knows_app(&catalogue, "{E96281A6-d1af-4bde-9a0a-97b76e56dc57}"));
        assert_false(catalogue_knows_app(&catalogue, "{e96281a6}"));
}

static void test_packages_belong_to_a_payload(_unused_ void **state)
{
        static const CatalogueFile package = { "oem-qemu.gz", SHA256,
                                               "xhFKH9FLwYfPP3pAVJR7olO3s8Q=", 7 };
        char *directory = directory_make();
        _cleanup_(catalogue_done) Catalogue first = {}, second = {};
        _cleanup_free_ char *why = NULL;

        assert_int_equal(catalogue_read(directory, &first, &why), 0);
        add(&first, "1.0", "");
        add(&first, "1.1", "");
        assert_int_equal(
                catalogue_add_package(&first, catalogue_find_name(&first, "1.1"), &package), 0);
        assert_int_equal(
                catalogue_add_package(&first, catalogue_find_name(&first, "1.1"), &package),
                -EINVAL); /* twice */
        assert_int_equal(catalogue_read(directory, &second, &why), 0);
        add(&second, "1.0", "");
        assert_int_equal(catalogue_add_package(&second, &second.payloads[0], &package), 0);
        assert_int_equal(catalogue_write(directory, &second), 0);
        catalogue_done(&second);
        assert_int_equal(catalogue_read(directory, &second, &why), 0);
        assert_int_equal(catalogue_find_package(&second.payloads[0], "oem-qemu.gz")->size, 7);
        assert_null(catalogue_find_package(&second.payloads[0], "oem-azure.gz"));
}

static void test_a_channel_can_not_lead_to_what_is_not_there(_unused_ void **state)
{
        char *directory = directory_make();
        _cleanup_(catalogue_done) Catalogue catalogue = {};
        _cleanup_free_ char *why = NULL;

        assert_int_equal(catalogue_read(directory, &catalogue, &why), 0);
        assert_int_equal(lead(&catalogue, "stable", "1.0", ""), -EINVAL);
}

static void test_words_are_safe_in_urls_xml_and_tables(_unused_ void **state)
{
        static const char *const good[] = { "stable", "4000.1.0", "1.2.3-rc1+build_5", "9" };
        static const char *const wrong[] = { "",    ".",   "..",       "-x", "a b",
                                             "a/b", "a\"", "\xc3\xa9", "a\n" };
        char longest[CATALOGUE_WORD_MAX + 2] = {};

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_true(catalogue_word_is_valid(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_false(catalogue_word_is_valid(wrong[i]));

        memset(longest, 'a', CATALOGUE_WORD_MAX);
        assert_true(catalogue_word_is_valid(longest));
        longest[CATALOGUE_WORD_MAX] = 'a';
        assert_false(catalogue_word_is_valid(longest));
        assert_true(catalogue_appid_is_valid(CATALOGUE_APPID));
        assert_false(catalogue_appid_is_valid("{a}<b>"));
}

/* Each file of tests/bad/serve-catalogue, and a word of the reason that is given. */
static const struct {
        const char *file, *why;
} bad[] = {
        { "not-json", "line 1" },
        { "a-list", "\"format\"" },
        { "other-format", "\"format\"" },
        { "no-payloads", "\"payloads\"" },
        { "channels-object", "\"channels\"" },
        { "duplicate-key", "duplicate" },
        { "path-in-sha256", "payload 0: \"sha256\"" },
        { "path-in-name", "payload 0: \"name\"" },
        { "hidden-name", "payload 0: \"name\"" },
        { "short-sha256", "payload 0: \"sha256\"" },
        { "markup-in-version", "payload 0: \"version\"" },
        { "negative-size", "payload 0: \"size\"" },
        { "text-size", "payload 0: \"size\"" },
        { "number-version", "payload 0: \"version\"" },
        { "short-base64", "payload 0: \"sha256_base64\"" },
        { "bad-sha1", "payload 0: \"sha1_base64\"" },
        { "bad-time", "payload 0: \"published\"" },
        { "bad-board", "payload 0: \"board\"" },
        { "empty-appid", "payload 0: \"appid\"" },
        { "payload-no-object", "payload 0" },
        { "channel-without-payload", "version 9" },
        { "channel-other-board", "version 1.2.0" },
        { "packages-object", "\"packages\" of version" },
        { "packages-too-many", "\"packages\" of version" },
        { "package-twice", "package oem-qemu.gz twice" },
        { "package-no-size", "package 0: \"size\"" },
        { "package-path-in-name", "package 0: \"name\"" },
        { "package-short-sha256", "package 0: \"sha256\"" },
        { "package-no-object", "package 0" },
        { "control-in-channel", "channel 0: \"channel\"" },
};

static void test_every_bad_catalogue_is_refused_for_its_reason(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_free_ char *path = NULL, *text = NULL, *why = NULL;
                Catalogue catalogue = {};
                size_t size;

                assert_true(text_format(&path, "/tests/bad/serve-catalogue/%s", bad[i].file) >= 0);
                assert_int_equal(
                        file_read(getenv("SLUICE_SOURCE"), path, CATALOGUE_SIZE_MAX, &text, &size),
                        0);
                assert_int_equal(catalogue_parse(text, size, &catalogue, &why), -EBADMSG);
                assert_null(catalogue.root);
                if (!why || !strstr(why, bad[i].why))
                        fail_msg("%s: \"%s\" is not \"%s\"", bad[i].file, why, bad[i].why);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_written_is_read_again),
                cmocka_unit_test(test_a_board_has_its_own_channel_or_the_common_one),
                cmocka_unit_test(test_packages_belong_to_a_payload),
                cmocka_unit_test(test_a_channel_can_not_lead_to_what_is_not_there),
                cmocka_unit_test(test_words_are_safe_in_urls_xml_and_tables),
                cmocka_unit_test(test_every_bad_catalogue_is_refused_for_its_reason),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
