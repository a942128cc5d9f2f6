/*
 * An image of four blocks, written by operations that keep what they wrote, or do not, in order or
 * not: the follower hashes the whole image, each block once.
 */
#include <fcntl.h>

#include "base/io.h"
#include "payload/digest.h"
#include "payload/follower.h"
#include "unit/unit.h"

#define BLOCK    512
#define N_BLOCKS 4

/* What an operation leaves in memory. */
typedef enum Kept {
        KEPT_NOTHING,
        KEPT_DATA,
        KEPT_OTHER_DATA, /* than it has written: so we see what is hashed */
        KEPT_ZEROS,
        KEPT_HALF,
} Kept;

typedef struct Write {
        PoolJob job;
        FollowerStep step;
        OperationOutput output;
        int fd;
        uint64_t block;
        Kept kept;
} Write;

static void write_work(PoolJob *job)
{
        Write *write = (Write *)job;
        uint8_t data[BLOCK];

        memset(data, write->kept == KEPT_ZEROS ? 0 : (int)write->block + 1, sizeof(data));
        assert_int_equal(pwrite_full(write->fd, data, BLOCK, write->block * BLOCK), 0);
        if (write->kept == KEPT_NOTHING)
                return;

        assert_int_equal(operation_output_allocate(&write->output, BLOCK), 0);
        memset(write->output.data, write->kept == KEPT_OTHER_DATA ? 0xEE : data[0], BLOCK);
        write->output.size = write->kept == KEPT_HALF ? BLOCK / 2 : BLOCK;
        write->output.zeros = write->kept == KEPT_ZEROS;
}

/* Carries the operations out; false: the SHA-256 is not that of the image in the file. */
static bool run_writes(const uint64_t blocks[static N_BLOCKS], const Kept kept[static N_BLOCKS],
                       unsigned n_threads, bool lag)
{
        static const char *directory = NULL;
        PayloadTarget target = { .resizable = true };
        _cleanup_(pool_free_p) Pool *pool = NULL;
        _cleanup_(follower_free_p) Follower *follower = NULL;
        uint8_t image[N_BLOCKS * BLOCK], wanted[SHA256_SIZE], sha256[SHA256_SIZE];
        Write writes[N_BLOCKS] = {};

        if (!directory)
                directory = directory_make();
        target.fd = root_open(directory, "image", O_RDWR | O_CREAT | O_TRUNC, 0600);
        assert_true(target.fd >= 0);
        assert_int_equal(pool_new(n_threads, write_work, &pool), 0);
        assert_int_equal(follower_new(&(FollowerParameters) { .target = &target,
                                                              .image_size = sizeof(image),
                                                              .operations = pool,
                                                              .lag = lag,
                                                              .threaded = n_threads > 0 },
                                      &follower),
                         0);
        for (size_t i = 0; i < N_BLOCKS; i++) {
                const Extent extent = { blocks[i], 1 };
                const Operation operation = { .target = { &extent, 1 } };
                Write *write = &writes[i];

                write->fd = target.fd;
                write->block = blocks[i];
                write->kept = kept[i];
                write->step.operation = &write->job;
                write->step.output = &write->output;
                pool_submit(pool, &write->job);
                if (!follower_see(follower, &operation, BLOCK, &write->step))
                        write->step.operation = NULL; /* not in its order */
        }
        for (size_t i = 0; i < N_BLOCKS; i++) {
                assert_ptr_equal(pool_take(pool), &writes[i].job);
                if (writes[i].step.operation)
                        assert_int_equal(follower_take(follower), 0);
                operation_output_done(&writes[i].output);
        }

        assert_int_equal(follower_finish(follower, sha256), 0);
        assert_int_equal(pread_full(target.fd, image, sizeof(image), 0), 0);
        assert_int_equal(digest_of(image, sizeof(image), wanted), 0);
        close(target.fd);
        return memcmp(sha256, wanted, SHA256_SIZE) == 0;
}

static void test_the_whole_image_is_hashed_whatever_is_kept_and_in_what_order(_unused_ void **state)
{
        static const uint64_t orders[][N_BLOCKS] = {
                { 0, 1, 2, 3 },
                { 3, 2, 1, 0 },
                { 0, 2, 1, 3 },
                { 1, 0, 3, 2 },
        };
        static const Kept keeps[][N_BLOCKS] = {
                { KEPT_DATA, KEPT_DATA, KEPT_DATA, KEPT_DATA },
                { KEPT_NOTHING, KEPT_NOTHING, KEPT_NOTHING, KEPT_NOTHING },
                { KEPT_DATA, KEPT_NOTHING, KEPT_ZEROS, KEPT_DATA },
                { KEPT_HALF, KEPT_DATA, KEPT_HALF, KEPT_ZEROS },
        };

        for (size_t i = 0; i < ELEMENTSOF(orders); i++)
                for (size_t j = 0; j < ELEMENTSOF(keeps); j++)
                        for (unsigned n_threads = 0; n_threads < 4; n_threads++) {
                                assert_true(run_writes(orders[i], keeps[j], n_threads, false));
                                assert_true(run_writes(orders[i], keeps[j], n_threads, true));
                        }
}

static void test_what_is_kept_is_what_is_hashed(_unused_ void **state)
{
        static const uint64_t in_order[] = { 0, 1, 2, 3 };
        static const Kept kept[] = { KEPT_DATA, KEPT_OTHER_DATA, KEPT_NOTHING, KEPT_DATA };

        assert_false(run_writes(in_order, kept, 0, false));
        assert_false(run_writes(in_order, kept, 3, false));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_whole_image_is_hashed_whatever_is_kept_and_in_what_order),
                cmocka_unit_test(test_what_is_kept_is_what_is_hashed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
