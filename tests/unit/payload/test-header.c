#include "payload/header.h"
#include "unit/unit.h"

static void test_a_header_reads_as_it_was_written(_unused_ void **state)
{
        uint8_t data[HEADER_V1_SIZE];
        PayloadHeader header;

        header_write_v1(MANIFEST_SIZE_MAX, data);
        for (size_t n = 0; n < sizeof(data); n++)
                assert_int_equal(header_parse(data, n, &header, NULL), 0);
        assert_int_equal(header_parse(data, sizeof(data), &header, NULL), 1);
        assert_int_equal(header.version, 1);
        assert_int_equal(header.size, HEADER_V1_SIZE);
        assert_int_equal(header.manifest_size, MANIFEST_SIZE_MAX);
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
        uint8_t data[HEADER_V1_SIZE];
        PayloadError error = {};
        PayloadHeader header;

        header_write_v1(MANIFEST_SIZE_MAX + 1, data);
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
