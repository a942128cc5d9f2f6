/*
 * Runs that end after every byte, as a crash would end them, and runs that go on from there.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "base/disk-io.h"
#include "base/io.h"
#include "base/text.h"
#include "payload/checkpoint.h"
#include "payload/payload.h"
#include "unit/unit.h"

#define FIXTURE_MAX (1 * MIB)

/* The system calls without the waiting; what was written and not synced is counted. */
static unsigned n_unsynced, n_checkpoints;

static ssize_t count_pwrite(int fd, const void *data, size_t size, uint64_t offset)
{
        n_unsynced++;
        return disk_io_system.pwrite(fd, data, size, offset);
}

static int count_sync(_unused_ int fd)
{
        n_unsynced = 0;
        return 0;
}

static int no_sync(_unused_ int fd)
{
        return 0;
}

static int fail_sync(_unused_ int fd)
{
        return -EIO;
}

static int checked_rename(const char *from, const char *to)
{
        assert_int_equal(n_unsynced, 0);
        n_checkpoints++;
        return disk_io_system.rename(from, to);
}

static DiskIo usual; /* in the table of every test; main() fills it */

/* Where checkpoints are kept: a file that is replaced, or an open one. */
static bool in_open_file;

static int setup_open_file(_unused_ void **state)
{
        in_open_file = true;
        return 0;
}

static int teardown_open_file(_unused_ void **state)
{
        in_open_file = false;
        return 0;
}

/* With a checkpoint after each operation of these there are some. */
static const char *const good[] = { "good", "good-v2" };

typedef struct Fixture {
        PayloadKeys *keys;
        PayloadSource base;
        char *data, *directory, *checkpoint;
        CheckpointPlace place;
        size_t size;
        PayloadApplyParameters parameters;
} Fixture;

static char *fixture_path(const char *name)
{
        const char *source = getenv("SLUICE_SOURCE");
        char *path;

        assert_non_null(source);
        assert_true(text_format(&path, "%s/tests/bad/payload/%s", source, name) >= 0);
        return path;
}

static void fixture_read(const char *name, char **ret, size_t *ret_size)
{
        _cleanup_free_ char *file = NULL, *path = NULL;

        assert_true(text_format(&file, "%s.payload", name) >= 0);
        path = fixture_path(file);
        assert_int_equal(file_read(NULL, path, FIXTURE_MAX, ret, ret_size), 0);
}

static void fixture_load(Fixture *fixture, const char *name)
{
        _cleanup_free_ char *key = fixture_path("key.pub.pem"), *base = fixture_path("base.img");

        *fixture = (Fixture) { .directory = directory_make() };
        fixture_read(name, &fixture->data, &fixture->size);
        assert_int_equal(payload_keys_new(&fixture->keys), 0);
        assert_int_equal(payload_keys_add_file(fixture->keys, key), 0);
        assert_true(text_format(&fixture->checkpoint, "%s/checkpoint", fixture->directory) >= 0);
        fixture->base = (PayloadSource) { .fd = root_open(NULL, base, O_RDONLY, 0), .size = 2048 };
        assert_true(fixture->base.fd >= 0);
        fixture->parameters = (PayloadApplyParameters) {
                .keys = fixture->keys,
                .base = &fixture->base,
                .target = { .fd = memfd_create("target", MFD_CLOEXEC), .resizable = true },
                .kernel = PAYLOAD_TARGET_NONE,
                .checkpoint = fixture->checkpoint,
                .checkpoint_step = 1,
        };
        assert_true(fixture->parameters.target.fd >= 0);
        fixture->place = (CheckpointPlace) { .path = fixture->checkpoint, .fd = -1 };
        if (!in_open_file)
                return;

        fixture->place =
                (CheckpointPlace) { .fd = memfd_create("room", MFD_CLOEXEC), .offset = 100 };
        assert_true(fixture->place.fd > 0);
        assert_int_equal(ftruncate(fixture->place.fd, 100 + PAYLOAD_CHECKPOINT_ROOM), 0);
        fixture->parameters.checkpoint = NULL;
        fixture->parameters.checkpoint_fd = fixture->place.fd;
        fixture->parameters.checkpoint_offset = fixture->place.offset;
}

static void assert_no_checkpoint(const Fixture *fixture)
{
        Checkpoint checkpoint;

        assert_int_equal(checkpoint_read(&fixture->place, &checkpoint), -ENOENT);
}

static void fixture_done(Fixture *fixture)
{
        payload_keys_free(fixture->keys);
        close(fixture->base.fd);
        close(fixture->parameters.target.fd);
        if (!fixture->place.path)
                close(fixture->place.fd);
        free(fixture->checkpoint);
        free(fixture->data);
}

static void fixture_reset(const Fixture *fixture)
{
        assert_int_equal(ftruncate(fixture->parameters.target.fd, 0), 0);
        assert_int_equal(checkpoint_remove(&fixture->place), 0);
}

/* A run that gets size bytes and no more; returns what it says about the checkpoint. */
static bool run_some(const Fixture *fixture, size_t size)
{
        _cleanup_(payload_apply_free_p) PayloadApply *apply = NULL;

        assert_int_equal(payload_apply_new(&fixture->parameters, &apply), 0);
        assert_int_equal(payload_apply_push(apply, fixture->data, size, NULL), 0);
        return payload_apply_checkpoint_problem(apply) == NULL;
}

/* A whole run, byte by byte; with jump, what is not wanted is not pushed. */
static uint64_t run_whole(const Fixture *fixture, bool jump, bool *ret_problem)
{
        _cleanup_(payload_apply_free_p) PayloadApply *apply = NULL;
        uint64_t resumed = 0;

        assert_int_equal(payload_apply_new(&fixture->parameters, &apply), 0);
        for (size_t i = 0; i < fixture->size; i++) {
                uint64_t offset;

                assert_int_equal(payload_apply_push(apply, fixture->data + i, 1, NULL), 0);
                offset = payload_apply_resume_offset(apply);
                if (offset == 0)
                        continue;
                assert_true(resumed == 0 || resumed == offset);
                resumed = offset;
                if (jump) {
                        assert_int_equal(payload_apply_resume(apply), 0);
                        i = (size_t)offset - 1;
                }
        }
        assert_int_equal(payload_apply_finish(apply, NULL), 0);
        assert_int_equal(payload_apply_bytes(apply), fixture->size);
        *ret_problem = payload_apply_checkpoint_problem(apply) != NULL;
        return resumed;
}

static void test_a_run_goes_on_after_one_that_ended_anywhere(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                uint64_t resumed = 0, before = 0;
                Fixture fixture;
                bool problem;

                fixture_load(&fixture, good[i]);
                for (size_t size = 1; size < fixture.size; size += 1 + size / 23) {
                        fixture.parameters.jobs = (unsigned)size % 3;
                        fixture_reset(&fixture);
                        assert_true(run_some(&fixture, size));
                        resumed = run_whole(&fixture, size % 2, &problem);
                        assert_false(problem);
                        assert_true(resumed <= size);
                        before = MAX_OF(before, resumed);
                }
                assert_true(before > 0);
                fixture_done(&fixture);
        }
}

static void test_what_a_checkpoint_promises_is_on_the_medium(_unused_ void **state)
{
        DiskIo table = usual;
        Fixture fixture;
        bool problem;

        table.pwrite = count_pwrite;
        table.sync_data = count_sync;
        table.rename = checked_rename;
        disk_io_set(&table);
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                fixture_load(&fixture, good[i]);
                n_checkpoints = n_unsynced = 0;
                assert_int_equal(run_whole(&fixture, false, &problem), 0);
                assert_false(problem);
                assert_true(n_checkpoints > 0);
                fixture_done(&fixture);
        }
        disk_io_set(&usual);
}

/* An error of a sync is told only once: going on would lose it. */
static void test_a_medium_that_fails_ends_the_run(_unused_ void **state)
{
        _cleanup_(payload_apply_free_p) PayloadApply *apply = NULL;
        DiskIo table = usual;
        PayloadError error = {};
        Fixture fixture;

        table.sync_data = fail_sync;
        fixture_load(&fixture, "good");
        assert_int_equal(payload_apply_new(&fixture.parameters, &apply), 0);
        disk_io_set(&table);
        assert_int_equal(payload_apply_push(apply, fixture.data, fixture.size, &error), -EIO);
        disk_io_set(&usual);
        assert_int_equal(error.refusal, PAYLOAD_REFUSAL_TARGET_IO);
        assert_no_checkpoint(&fixture);
        payload_error_done(&error);
        fixture_done(&fixture);
}

static void test_a_hash_of_the_whole_file_goes_on_too(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                uint8_t sha256[SHA256_SIZE];
                Fixture fixture;
                bool problem;

                fixture_load(&fixture, good[i]);
                assert_int_equal(digest_of(fixture.data, fixture.size, sha256), 0);
                fixture.parameters.sha256 = sha256;
                assert_true(run_some(&fixture, fixture.size - 1));
                assert_true(run_whole(&fixture, true, &problem) > 0);
                assert_false(problem);

                /* One that was made without it is of no use. */
                fixture_reset(&fixture);
                fixture.parameters.sha256 = NULL;
                assert_true(run_some(&fixture, fixture.size - 1));
                fixture.parameters.sha256 = sha256;
                (void)run_whole(&fixture, true, &problem);
                assert_int_equal(problem, streq(good[i], "good-v2"));
                fixture_done(&fixture);
        }
}

static void test_a_damaged_checkpoint_means_a_new_beginning(_unused_ void **state)
{
        uint8_t data[CHECKPOINT_SIZE];
        Checkpoint checkpoint;
        Fixture fixture;
        bool problem;

        fixture_load(&fixture, "good");
        assert_true(run_some(&fixture, fixture.size - 1));
        assert_int_equal(checkpoint_read(&fixture.place, &checkpoint), 0);
        assert_int_equal(checkpoint_encode(&checkpoint, data), 0);
        for (size_t i = 0; i < 2 * sizeof(data); i += 5) {
                size_t size = i < sizeof(data) ? sizeof(data) : i - sizeof(data);

                data[i % sizeof(data)] ^= 1;
                assert_int_equal(file_replace(NULL, fixture.checkpoint, data, size, 0600), 0);
                data[i % sizeof(data)] ^= 1;
                assert_int_equal(run_whole(&fixture, true, &problem), 0);
                assert_true(problem);
        }
        fixture_done(&fixture);
}

/* Whole and signed by nobody: a mark somewhere else, as only this program could write it. */
static void test_a_mark_between_no_operations_is_not_believed(_unused_ void **state)
{
        Checkpoint checkpoint, changed;
        Fixture fixture;
        bool problem;

        fixture_load(&fixture, "good-v2");
        assert_true(run_some(&fixture, fixture.size - 1));
        assert_int_equal(checkpoint_read(&fixture.place, &checkpoint), 0);
        for (unsigned i = 0; i < 4; i++) {
                changed = checkpoint;
                changed.mark.n_operations += i == 0 ? UINT64_C(1) << 40 : i == 1;
                changed.mark.bytes -= i == 2;
                changed.mark.payload.bytes -= i == 3;
                assert_int_equal(checkpoint_write(&fixture.place, &changed), 0);
                assert_int_equal(run_whole(&fixture, true, &problem), 0);
                assert_true(problem);
        }
        fixture_done(&fixture);
}

static void test_a_checkpoint_is_for_one_payload_and_one_target(_unused_ void **state)
{
        Fixture fixture, other;
        bool problem;

        fixture_load(&fixture, "good-v2");
        fixture_load(&other, "good");
        assert_true(run_some(&fixture, fixture.size - 1));
        assert_int_equal(ftruncate(fixture.parameters.target.fd, 0), 0);
        assert_int_equal(run_whole(&fixture, true, &problem), 0);
        assert_true(problem);

        assert_true(run_some(&fixture, fixture.size - 1));
        free(fixture.data);
        fixture.data = TAKE_PTR(other.data);
        fixture.size = other.size;
        assert_int_equal(run_whole(&fixture, true, &problem), 0);
        assert_true(problem);
        fixture_done(&other);
        fixture_done(&fixture);
}

/* The medium lost or changed what was on it: that is found, and the next run begins anew. */
static void test_a_target_that_has_changed_is_refused_once(_unused_ void **state)
{
        _cleanup_(payload_apply_free_p) PayloadApply *apply = NULL;
        PayloadError error = {};
        Fixture fixture;
        bool problem;

        fixture_load(&fixture, "good");
        assert_true(run_some(&fixture, fixture.size - 1));
        assert_int_equal(pwrite_full(fixture.parameters.target.fd, "x", 1, 0), 0);
        assert_int_equal(payload_apply_new(&fixture.parameters, &apply), 0);
        assert_int_equal(payload_apply_push(apply, fixture.data, fixture.size, &error), 0);
        assert_int_equal(payload_apply_finish(apply, &error), -EBADMSG);
        assert_int_equal(error.refusal, PAYLOAD_REFUSAL_TARGET_HASH);
        payload_error_done(&error);
        assert_no_checkpoint(&fixture);
        assert_int_equal(run_whole(&fixture, true, &problem), 0);
        assert_false(problem);
        fixture_done(&fixture);
}

/* Something in what comes next ends every run: after ten of them it is begun anew. */
static void test_no_place_is_tried_for_ever(_unused_ void **state)
{
        Fixture fixture;
        bool problem;

        fixture_load(&fixture, "good");
        for (unsigned i = 0; i <= CHECKPOINT_RESUMES_MAX; i++)
                assert_true(run_some(&fixture, fixture.size - 1));
        assert_false(run_some(&fixture, fixture.size - 1));
        assert_true(run_whole(&fixture, true, &problem) > 0); /* of the one that began anew */
        assert_false(problem);
        fixture_done(&fixture);
}

/* A power cut while the newer one is written leaves the older one. */
static void test_half_a_checkpoint_leaves_the_one_before(_unused_ void **state)
{
        uint8_t nothing[CHECKPOINT_SIZE / 2] = {};
        Checkpoint newest, before;
        Fixture fixture;
        bool problem;

        fixture_load(&fixture, "good-v2");
        assert_true(run_some(&fixture, fixture.size - 1));
        assert_int_equal(checkpoint_read(&fixture.place, &newest), 0);
        for (size_t i = 0; i < 2; i++) {
                uint64_t offset = fixture.place.offset + i * PAYLOAD_CHECKPOINT_STEP;
                uint8_t whole[sizeof(nothing)];

                assert_int_equal(pread_full(fixture.place.fd, whole, sizeof(whole), offset), 0);
                assert_int_equal(pwrite_full(fixture.place.fd, nothing, sizeof(nothing), offset),
                                 0);
                assert_int_equal(checkpoint_read(&fixture.place, &before), 0);
                if (before.mark.n_operations < newest.mark.n_operations)
                        break;
                assert_int_equal(pwrite_full(fixture.place.fd, whole, sizeof(whole), offset), 0);
        }
        assert_true(before.mark.n_operations < newest.mark.n_operations);
        assert_true(run_whole(&fixture, true, &problem) > 0);
        assert_false(problem);
        fixture_done(&fixture);
}

static void test_a_damaged_room_means_a_new_beginning(_unused_ void **state)
{
        Fixture fixture;
        bool problem;

        fixture_load(&fixture, "good");
        assert_true(run_some(&fixture, fixture.size - 1));
        for (size_t i = 0; i < 2; i++)
                assert_int_equal(
                        pwrite_full(fixture.place.fd, "x", 1,
                                    fixture.place.offset + i * PAYLOAD_CHECKPOINT_STEP + 50),
                        0);
        assert_int_equal(run_whole(&fixture, true, &problem), 0);
        assert_true(problem);

        /* One that has lost its end is none either, and can be written again. */
        fixture_reset(&fixture);
        assert_int_equal(ftruncate(fixture.place.fd, 150), 0);
        assert_false(run_some(&fixture, fixture.size - 1));
        assert_true(run_whole(&fixture, true, &problem) > 0);
        fixture_done(&fixture);
}

/* It would have to write into what it reads. */
static void test_a_delta_in_place_begins_anew(_unused_ void **state)
{
        Fixture fixture;
        bool problem;

        fixture_load(&fixture, "good-delta");
        assert_true(run_some(&fixture, fixture.size - 1));
        assert_no_checkpoint(&fixture);
        assert_int_equal(run_whole(&fixture, true, &problem), 0);
        assert_false(problem);
        fixture_done(&fixture);
}

/* The same test with checkpoints in an open file. */
#define OPEN_FILE_TEST(test)                                                          \
        {                                                                             \
#test " (open file)", test, setup_open_file, teardown_open_file, NULL \
        }

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_run_goes_on_after_one_that_ended_anywhere),
                cmocka_unit_test(test_what_a_checkpoint_promises_is_on_the_medium),
                cmocka_unit_test(test_a_medium_that_fails_ends_the_run),
                cmocka_unit_test(test_a_hash_of_the_whole_file_goes_on_too),
                cmocka_unit_test(test_a_damaged_checkpoint_means_a_new_beginning),
                cmocka_unit_test(test_a_mark_between_no_operations_is_not_believed),
                cmocka_unit_test(test_a_checkpoint_is_for_one_payload_and_one_target),
                cmocka_unit_test(test_a_target_that_has_changed_is_refused_once),
                cmocka_unit_test(test_a_delta_in_place_begins_anew),
                cmocka_unit_test(test_no_place_is_tried_for_ever),
                OPEN_FILE_TEST(test_a_run_goes_on_after_one_that_ended_anywhere),
                OPEN_FILE_TEST(test_a_medium_that_fails_ends_the_run),
                OPEN_FILE_TEST(test_a_hash_of_the_whole_file_goes_on_too),
                OPEN_FILE_TEST(test_a_mark_between_no_operations_is_not_believed),
                OPEN_FILE_TEST(test_a_checkpoint_is_for_one_payload_and_one_target),
                OPEN_FILE_TEST(test_a_target_that_has_changed_is_refused_once),
                OPEN_FILE_TEST(test_a_delta_in_place_begins_anew),
                OPEN_FILE_TEST(test_no_place_is_tried_for_ever),
                OPEN_FILE_TEST(test_half_a_checkpoint_leaves_the_one_before),
                OPEN_FILE_TEST(test_a_damaged_room_means_a_new_beginning),
        };

        usual = disk_io_system;
        usual.sync = no_sync;
        usual.sync_data = no_sync;
        disk_io_set(&usual);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
