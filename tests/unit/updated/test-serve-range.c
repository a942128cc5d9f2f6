#include "serve-range.h"
#include "unit/unit.h"

#define ETAG "\"abc\""

static void test_a_range_is_what_rfc_9110_makes_of_it(_unused_ void **state)
{
        static const struct {
                const char *text;
                uint64_t size;
                Range range;
        } table[] = {
                { NULL, 100, { RANGE_WHOLE, 0, 100 } },
                { "bytes=0-", 100, { RANGE_PART, 0, 100 } },
                { "bytes=10-", 100, { RANGE_PART, 10, 90 } },
                { "BYTES=10-19", 100, { RANGE_PART, 10, 10 } },
                { "bytes=99-99", 100, { RANGE_PART, 99, 1 } },
                { "bytes=99-1000", 100, { RANGE_PART, 99, 1 } },
                { "bytes=0-18446744073709551615", 100, { RANGE_PART, 0, 100 } },
                { "bytes=0-99999999999999999999999", 100, { RANGE_PART, 0, 100 } },
                { "bytes=-1", 100, { RANGE_PART, 99, 1 } },
                { "bytes=-1000", 100, { RANGE_PART, 0, 100 } },
                { "bytes=4294967296-", 4294967297, { RANGE_PART, 4294967296, 1 } },
                { "bytes=100-", 100, { RANGE_UNSATISFIABLE } },
                { "bytes=99999999999999999999999-", 100, { RANGE_UNSATISFIABLE } },
                { "bytes=-0", 100, { RANGE_UNSATISFIABLE } },
                { "bytes=20-10", 100, { RANGE_UNSATISFIABLE } },
                { "bytes=", 100, { RANGE_UNSATISFIABLE } },
                { "bytes=-", 100, { RANGE_UNSATISFIABLE } },
                { "bytes=1", 100, { RANGE_UNSATISFIABLE } },
                { "bytes=a-b", 100, { RANGE_UNSATISFIABLE } },
                { "bytes=1-2x", 100, { RANGE_UNSATISFIABLE } },
                { "bytes=--1", 100, { RANGE_UNSATISFIABLE } },
                { "bytes= 1-2", 100, { RANGE_UNSATISFIABLE } },
                { "bytes=0-1,3-4", 100, { RANGE_WHOLE, 0, 100 } },
                { "lines=1-2", 100, { RANGE_WHOLE, 0, 100 } },
                { "", 100, { RANGE_WHOLE, 0, 100 } },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                Range range = range_choose(table[i].text, NULL, ETAG, table[i].size);

                assert_int_equal(range.kind, table[i].range.kind);
                assert_int_equal(range.first, table[i].range.first);
                assert_int_equal(range.size, table[i].range.size);
        }
}

static void test_a_part_is_sent_only_of_the_very_same_file(_unused_ void **state)
{
        static const char *const others[] = { "\"abd\"", "W/\"abc\"", "abc", "",
                                              "Wed, 21 Oct 2015 07:28:00 GMT" };

        assert_int_equal(range_choose("bytes=1-2", ETAG, ETAG, 9).kind, RANGE_PART);
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                assert_int_equal(range_choose("bytes=1-2", others[i], ETAG, 9).kind, RANGE_WHOLE);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_range_is_what_rfc_9110_makes_of_it),
                cmocka_unit_test(test_a_part_is_sent_only_of_the_very_same_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
