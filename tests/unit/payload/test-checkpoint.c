#include <fcntl.h>
#include <sys/mman.h>

#include "base/io.h"
#include "base/text.h"
#include "payload/checkpoint.h"
#include "unit/unit.h"

static Checkpoint checkpoint_make(void)
{
        Checkpoint checkpoint = {
                .metadata_sha256 = { 1, 2, 3 },
                .targets = { { TARGET_FILE, 2, 3, 4, 5 }, { TARGET_DEVICE, 7, 0, 9, 10 } },
                .mark = { .n_operations = 11, .bytes = 12 },
        };

        checkpoint.mark.payload = (DigestState) { 13, { 14, 15, 16 }, { 17, 18 } };
        checkpoint.mark.file = (DigestState) { 19, { 20, 21, 22 }, { 23, 24 } };
        return checkpoint;
}

static void test_what_is_written_is_read(_unused_ void **state)
{
        _cleanup_free_ char *path = NULL;
        char *directory = directory_make();
        Checkpoint wrote = checkpoint_make(), read = {};

        assert_true(text_format(&path, "%s/checkpoint", directory) >= 0);
        assert_int_equal(checkpoint_read(&(CheckpointPlace) { .path = path }, &read), -ENOENT);
        assert_int_equal(checkpoint_write(&(CheckpointPlace) { .path = path }, &wrote), 0);
        assert_int_equal(checkpoint_read(&(CheckpointPlace) { .path = path }, &read), 0);
        assert_true(checkpoint_matches(&wrote, &read));
        assert_memory_equal(&wrote.mark, &read.mark, sizeof(wrote.mark));
}

static void test_another_byte_or_length_is_no_checkpoint(_unused_ void **state)
{
        Checkpoint checkpoint = checkpoint_make(), read;
        uint8_t data[CHECKPOINT_SIZE + 1] = {};

        assert_int_equal(checkpoint_encode(&checkpoint, data), 0);
        assert_int_equal(checkpoint_parse(data, CHECKPOINT_SIZE, &read), 0);
        for (size_t size = 0; size <= sizeof(data); size++)
                if (size != CHECKPOINT_SIZE)
                        assert_int_equal(checkpoint_parse(data, size, &read), -EBADMSG);
        for (size_t i = 0; i < 8 * CHECKPOINT_SIZE; i++) {
                data[i / 8] ^= (uint8_t)(1 << i % 8);
                assert_int_equal(checkpoint_parse(data, CHECKPOINT_SIZE, &read), -EBADMSG);
                data[i / 8] ^= (uint8_t)(1 << i % 8);
        }
}

static void test_everything_but_the_mark_has_to_match(_unused_ void **state)
{
        Checkpoint a = checkpoint_make(), b = checkpoint_make();

        b.mark.bytes++;
        assert_true(checkpoint_matches(&a, &b));
        b.metadata_sha256[SHA256_SIZE - 1]++;
        assert_false(checkpoint_matches(&a, &b));
        for (size_t i = 0; i < CHECKPOINT_TARGETS; i++) {
                uint64_t *const fields[] = {
                        &b.targets[i].kind,   &b.targets[i].device, &b.targets[i].inode,
                        &b.targets[i].offset, &b.targets[i].size,
                };

                for (size_t j = 0; j < ELEMENTSOF(fields); j++) {
                        b = checkpoint_make();
                        (*fields[j])++;
                        assert_false(checkpoint_matches(&a, &b));
                }
        }
}

static void test_a_target_is_known_by_what_it_is(_unused_ void **state)
{
        PayloadTarget target = { .fd = memfd_create("target", MFD_CLOEXEC), .resizable = true };
        TargetId empty, full, region, none;

        assert_true(target.fd >= 0);
        assert_int_equal(target_identify(&target, 1000, &empty), 0);
        assert_int_equal(ftruncate(target.fd, 1000), 0);
        assert_int_equal(target_identify(&target, 1000, &full), 0);
        assert_int_equal(full.kind, TARGET_FILE);
        assert_int_equal(full.inode, empty.inode);
        assert_int_equal(empty.size, 0);
        assert_int_equal(full.size, 1000);

        target = (PayloadTarget) { .fd = target.fd, .offset = 512, .size = 488 };
        assert_int_equal(target_identify(&target, 400, &region), 0);
        assert_int_equal(region.offset, 512);
        assert_int_equal(region.size, 400);
        assert_int_equal(target_identify(&PAYLOAD_TARGET_NONE, 1, &none), 0);
        assert_int_equal(none.kind, TARGET_NONE);
        close(target.fd);
}

static void test_a_hash_goes_on_from_every_place(_unused_ void **state)
{
        uint8_t data[3 * SHA256_BLOCK_SIZE], wanted[SHA256_SIZE], got[SHA256_SIZE];

        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t)(7 * i);
        assert_int_equal(digest_of(data, sizeof(data), wanted), 0);
        for (size_t i = 0; i <= sizeof(data); i++) {
                _cleanup_(digest_free_p) Digest *first = NULL, *second = NULL;
                DigestState saved;

                assert_int_equal(digest_new(&first), 0);
                assert_int_equal(digest_update(first, data, i), 0);
                digest_save(first, &saved);
                assert_int_equal(saved.bytes, i);
                assert_int_equal(digest_new(&second), 0);
                assert_int_equal(digest_update(second, data, 5), 0); /* is forgotten */
                digest_restore(second, &saved);
                assert_int_equal(digest_update(second, data + i, sizeof(data) - i), 0);
                assert_int_equal(digest_peek(second, got), 0);
                assert_memory_equal(got, wanted, SHA256_SIZE);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_written_is_read),
                cmocka_unit_test(test_another_byte_or_length_is_no_checkpoint),
                cmocka_unit_test(test_everything_but_the_mark_has_to_match),
                cmocka_unit_test(test_a_target_is_known_by_what_it_is),
                cmocka_unit_test(test_a_hash_goes_on_from_every_place),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
