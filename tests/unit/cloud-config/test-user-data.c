#include "cloud-config/user-data.h"
#include "unit/unit.h"

#define HEAD \
        "MIME-Version: 1.0\r\nContent-Type: Multipart/Mixed;\r\n charset=utf-8;\r\n boundary=\"a b\"\r\n\r\n"

static void parse(const char *text, size_t size, UserData *ret)
{
        _cleanup_(findings_done) Findings findings = {};

        assert_int_equal(user_data_parse(text, size, &findings, ret), 0);
        assert_int_equal(findings.n_items, 0);
}

static void test_the_first_line_decides(_unused_ void **state)
{
        static const struct {
                const char *text;
                PartKind kind;
        } table[] = {
                { "", PART_EMPTY },
                { "#cloud-config", PART_CLOUD_CONFIG },
                { "#cloud-config \t\r\na: b\r\n", PART_CLOUD_CONFIG },
                { "\xef\xbb\xbf#cloud-config\n", PART_CLOUD_CONFIG },
                { "#!/bin/sh\n", PART_SCRIPT },
                { "{\"ignition\": {\"version\": \"3.3.0\"}}", PART_IGNITION },
                { "{\"ignitionVersion\": 1}", PART_IGNITION },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(user_data_done) UserData user_data = {};

                parse(table[i].text, strlen(table[i].text), &user_data);
                assert_int_equal(user_data.n_parts, 1);
                assert_int_equal(user_data.parts[0].kind, table[i].kind);
                assert_int_equal(user_data.parts[0].number, 0);
        }
}

static void test_parts_are_decoded_and_numbered(_unused_ void **state)
{
        static const char text[] =
                HEAD "preamble\r\n--a b\r\nContent-Type: text/cloud-config\r\n"
                     "Content-Transfer-Encoding: BASE64\r\n\r\nI2Nsb3Vk\r\nLWNvbmZpZwphOiBiCg==\r\n"
                     "--a b \r\nContent-Type: text/cloud-config\r\n\r\na: b\r\n"
                     "--a b\r\nContent-Type: text/x-shellscript\r\n\r\necho\r\n"
                     "--a b\r\n\r\n#cloud-config\r\n--a bc\r\n"
                     "--a b--\r\nepilogue\r\n--a b\r\n";
        static const struct {
                PartKind kind;
                const char *text;
        } wanted[] = {
                { PART_CLOUD_CONFIG, "#cloud-config\na: b\n" },
                { PART_CLOUD_CONFIG, "a: b" },
                { PART_SCRIPT, "echo" },
                { PART_CLOUD_CONFIG, "#cloud-config\r\n--a bc" },
        };
        _cleanup_(user_data_done) UserData user_data = {};

        parse(text, strlen(text), &user_data);
        assert_int_equal(user_data.n_parts, ELEMENTSOF(wanted));
        for (size_t i = 0; i < ELEMENTSOF(wanted); i++) {
                assert_int_equal(user_data.parts[i].kind, wanted[i].kind);
                assert_int_equal(user_data.parts[i].number, i + 1);
                assert_string_equal(user_data.parts[i].text, wanted[i].text);
        }
}

static void test_a_document_may_be_compressed_also_inside_a_part(_unused_ void **state)
{
        /* gzip of "#cloud-config\n", made with mtime 0 */
        static const char packed[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x53\x4e\xce\xc9\x2f"
                                     "\x4d\xd1\x4d\xce\xcf\x4b\xcb\x4c\xe7\x02\x00\x05\x56\xb3\xb8"
                                     "\x0e\x00\x00\x00";
        static const char part[] = HEAD "--a b\n\n";
        char text[sizeof(part) + sizeof(packed) + 16];
        _cleanup_(user_data_done) UserData alone = {}, inside = {};
        size_t n = 0;

        parse(packed, sizeof(packed) - 1, &alone);
        assert_string_equal(alone.parts[0].text, "#cloud-config\n");

        memcpy(text, part, strlen(part));
        n += strlen(part);
        memcpy(text + n, packed, sizeof(packed) - 1);
        n += sizeof(packed) - 1;
        memcpy(text + n, "\n--a b--\n", strlen("\n--a b--\n"));
        n += strlen("\n--a b--\n");
        parse(text, n, &inside);
        assert_int_equal(inside.n_parts, 1);
        assert_int_equal(inside.parts[0].kind, PART_CLOUD_CONFIG);
        assert_string_equal(inside.parts[0].text, "#cloud-config\n");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_first_line_decides),
                cmocka_unit_test(test_parts_are_decoded_and_numbered),
                cmocka_unit_test(test_a_document_may_be_compressed_also_inside_a_part),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
