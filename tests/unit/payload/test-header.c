#include "payload/header.h"
#include "unit/unit.h"

static void test_a_header_reads_as_it_was_written(_unused_ void **state)
{
        uint8_t data[HEADER_SIZE_MAX];
        PayloadHeader header;

        for (uint64_t version = HEADER_VERSION_1; version <= HEADER_VERSION_2; version++) {
                PayloadHeader wanted = {
                        .version = version,
                        .size = version == HEADER_VERSION_1 ? HEADER_V1_SIZE : HEADER_V2_SIZE,
                        .manifest_size = MANIFEST_SIZE_MAX,
                        .metadata_signature_size = version == HEADER_VERSION_1 ? 0 : 264,
                };

                assert_int_equal(header_write(&wanted, data), wanted.size);
                for (size_t n = 0; n < wanted.size; n++)
                        assert_int_equal(header_parse(data, n, &header, NULL), 0);
                assert_int_equal(header_parse(data, wanted.size, &header, NULL), 1);
                assert_int_equal(header.version, version);
                assert_int_equal(header.size, wanted.size);
                assert_int_equal(header.manifest_size, MANIFEST_SIZE_MAX);
                assert_int_equal(header.metadata_signature_size, wanted.metadata_signature_size);
        }
}

static void test_the_first_wrong_byte_of_the_magic_is_refused(_unused_ void **state)
{
        PayloadError error = {};
        PayloadHeader header;

        assert_int_equal(header_parse((const uint8_t *)"CrB", 2, &header, &error), 0);
        assert_int_equal(header_parse((const uint8_t *)"CrB", 3, &header, &error), -EBADMSG);
        assert_int_equal(error.refusal, PAYLOAD_REFUSAL_MAGIC);
        payload_error_done(&error);
}

static void test_a_manifest_above_the_limit_is_refused(_unused_ void **state)
{
        uint8_t data[HEADER_SIZE_MAX];
        PayloadError error = {};
        PayloadHeader header;

        (void)header_write(
                &(PayloadHeader) { .version = 1, .manifest_size = MANIFEST_SIZE_MAX + 1 }, data);
        assert_int_equal(header_parse(data, sizeof(data), &header, &error), -EBADMSG);
        assert_int_equal(error.refusal, PAYLOAD_REFUSAL_MANIFEST);
        payload_error_done(&error);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_header_reads_as_it_was_written),
                cmocka_unit_test(test_the_first_wrong_byte_of_the_magic_is_refused),
                cmocka_unit_test(test_a_manifest_above_the_limit_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
