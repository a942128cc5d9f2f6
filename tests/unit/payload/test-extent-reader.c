/*
 * An operation of a delta that works in place and overwrites what it still has to read.
 */
#include <sys/mman.h>

#include "base/io.h"
#include "payload/extent-reader.h"
#include "unit/unit.h"

#define BLOCK  4096
#define BLOCKS (SNAPSHOT_MAX / BLOCK + 1)

typedef struct Slot {
        PayloadTarget target;
        PayloadSource base;
        BlockMap *written;
        ExtentSource source;
} Slot;

/* A base of zeros, and a target of which every block was written before, as zeros too. */
static void slot_make(Slot *slot)
{
        *slot = (Slot) {
                .target = { .fd = memfd_create("target", MFD_CLOEXEC), .size = BLOCKS * BLOCK },
                .base = { .fd = memfd_create("base", MFD_CLOEXEC), .size = BLOCKS * BLOCK },
        };
        assert_int_equal(ftruncate(slot->target.fd, BLOCKS * BLOCK), 0);
        assert_int_equal(ftruncate(slot->base.fd, BLOCKS * BLOCK), 0);
        assert_int_equal(block_map_new(BLOCKS, &slot->written), 0);
        block_map_add(slot->written, 0, BLOCKS);
        slot->source = (ExtentSource) {
                .base = &slot->base,
                .base_size = BLOCKS * BLOCK,
                .target = &slot->target,
                .written = slot->written,
                .block_size = BLOCK,
        };
}

static void slot_done(Slot *slot)
{
        block_map_free(slot->written);
        close(slot->target.fd);
        close(slot->base.fd);
}

static int slot_protect(const Slot *slot, uint64_t n_source, const Extent *target,
                        ExtentReader **ret)
{
        static Extent source;

        source = (Extent) { 0, n_source };
        assert_int_equal(extent_reader_new(&slot->source, (ExtentList) { &source, 1 }, ret), 0);
        return extent_reader_protect(*ret, (ExtentList) { target, 1 });
}

static void test_what_is_overwritten_was_read_before(_unused_ void **state)
{
        _cleanup_(extent_reader_free_p) ExtentReader *protected = NULL, *other = NULL;
        uint8_t data[BLOCK];
        Slot slot;

        slot_make(&slot);
        memset(data, 0xEE, sizeof(data));
        assert_int_equal(slot_protect(&slot, 4, &(Extent) { 3, 1 }, &protected), 0);
        assert_int_equal(slot_protect(&slot, 4, &(Extent) { 4, 1 }, &other), 0);
        assert_int_equal(pwrite_full(slot.target.fd, data, BLOCK, 3 * BLOCK), 0);

        assert_int_equal(extent_reader_read(protected, 3 * BLOCK, data, BLOCK), 0);
        assert_int_equal(data[0], 0);
        assert_int_equal(extent_reader_read(other, 3 * BLOCK, data, BLOCK), 0);
        assert_int_equal(data[0], 0xEE);
        slot_done(&slot);
}

static void test_the_memory_for_that_is_bounded(_unused_ void **state)
{
        _cleanup_(extent_reader_free_p) ExtentReader *most = NULL, *more = NULL, *apart = NULL;
        Slot slot;

        slot_make(&slot);
        assert_int_equal(slot_protect(&slot, BLOCKS - 1, &(Extent) { 0, 1 }, &most), 0);
        assert_int_equal(slot_protect(&slot, BLOCKS, &(Extent) { 0, 1 }, &more), -EFBIG);
        assert_int_equal(slot_protect(&slot, BLOCKS, &(Extent) { EXTENT_HOLE, 1 }, &apart), 0);
        slot_done(&slot);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_overwritten_was_read_before),
                cmocka_unit_test(test_the_memory_for_that_is_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
