#include "payload/extents.h"
#include "unit/unit.h"

static void test_blocks_round_up(_unused_ void **state)
{
        assert_int_equal(blocks_for(0, 512), 0);
        assert_int_equal(blocks_for(1, 512), 1);
        assert_int_equal(blocks_for(512, 512), 1);
        assert_int_equal(blocks_for(513, 512), 2);
        assert_true(blocks_for(UINT64_MAX, 512) == UINT64_MAX / 512 + 1);
}

static void test_sizes_that_overflow_are_told(_unused_ void **state)
{
        static const Extent many[] = { { 0, UINT64_MAX }, { 1, 1 } };
        static const Extent large[] = { { 0, UINT64_MAX / 512 + 1 } };
        static const Extent fine[] = { { 7, 3 }, { EXTENT_HOLE, 2 } };
        uint64_t size;

        assert_false(extents_size((ExtentList) { many, 2 }, 1, &size));
        assert_false(extents_size((ExtentList) { large, 1 }, 512, &size));
        assert_true(extents_size((ExtentList) { fine, 2 }, 512, &size));
        assert_int_equal(size, 5 * 512);
        assert_false(extent_end(&(Extent) { UINT64_MAX - 1, 2 }, &size));
}

static void test_overlaps_and_gaps_are_found_whatever_the_order(_unused_ void **state)
{
        Extent extents[] = { { 4, 2 }, { EXTENT_HOLE, 9 }, { 0, 2 }, { EXTENT_HOLE, 9 }, { 2, 3 } };
        uint64_t block = 0;

        extents_sort(extents, ELEMENTSOF(extents));
        assert_true(extents_overlap(extents, ELEMENTSOF(extents), &block));
        assert_int_equal(block, 4);
        assert_false(extents_gap(extents, ELEMENTSOF(extents), 6, &block));
        assert_true(extents_gap(extents, ELEMENTSOF(extents), 7, &block));
        assert_int_equal(block, 6);

        extents[1].n_blocks = 1;
        assert_false(extents_overlap(extents, ELEMENTSOF(extents), &block));
        assert_true(extents_gap(extents, ELEMENTSOF(extents), 6, &block));
        assert_int_equal(block, 3);
}

static void test_nothing_at_all_is_one_gap(_unused_ void **state)
{
        uint64_t block = 9;

        extents_sort(NULL, 0);
        assert_false(extents_overlap(NULL, 0, &block));
        assert_true(extents_gap(NULL, 0, 1, &block));
        assert_int_equal(block, 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_blocks_round_up),
                cmocka_unit_test(test_sizes_that_overflow_are_told),
                cmocka_unit_test(test_overlaps_and_gaps_are_found_whatever_the_order),
                cmocka_unit_test(test_nothing_at_all_is_one_gap),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
