/*
 * The whole machine on the fixtures of tests/bad/payload: what the integration tests do through
 * the program, here through the library and in pieces of every size.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "base/disk-io.h"
#include "base/io.h"
#include "base/text.h"
#include "payload/digest.h"
#include "payload/payload.h"
#include "unit/unit.h"

#define FIXTURE_MAX (1 * MIB)
#define IMAGE_SIZE  1024

/* The good ones: version 1, a delta of version 1, every operation of version 2. */
static const char *const good[] = { "good", "good-delta", "good-v2" };

typedef struct Fixture {
        PayloadKeys *keys;
        PayloadSource base;
        char *data;
        size_t size;
        int fd;
        PayloadApplyParameters parameters;
} Fixture;

static void fixture_load(Fixture *fixture, const char *name)
{
        _cleanup_free_ char *path = NULL, *key = NULL, *base = NULL;
        const char *source = getenv("SLUICE_SOURCE");

        assert_non_null(source);
        assert_true(text_format(&path, "%s/tests/bad/payload/%s.payload", source, name) >= 0);
        assert_true(text_format(&key, "%s/tests/bad/payload/key.pub.pem", source) >= 0);
        assert_true(text_format(&base, "%s/tests/bad/payload/base.img", source) >= 0);
        *fixture = (Fixture) { .fd = memfd_create("target", MFD_CLOEXEC) };
        assert_true(fixture->fd >= 0);
        assert_int_equal(file_read(NULL, path, FIXTURE_MAX, &fixture->data, &fixture->size), 0);
        assert_int_equal(payload_keys_new(&fixture->keys), 0);
        assert_int_equal(payload_keys_add_file(fixture->keys, key), 0);
        fixture->base = (PayloadSource) { .fd = root_open(NULL, base, O_RDONLY, 0), .size = 2048 };
        assert_true(fixture->base.fd >= 0);
        fixture->parameters = (PayloadApplyParameters) {
                .keys = fixture->keys,
                .base = &fixture->base,
                .target = { .fd = fixture->fd, .resizable = true },
                .kernel = PAYLOAD_TARGET_NONE,
                .size = fixture->size,
        };
}

static void fixture_done(Fixture *fixture)
{
        payload_keys_free(fixture->keys);
        free(fixture->data);
        close(fixture->base.fd);
        close(fixture->fd);
}

static int fixture_apply(const Fixture *fixture, size_t piece, PayloadError *error)
{
        _cleanup_(payload_apply_free_p) PayloadApply *apply = NULL;
        int r;

        assert_int_equal(payload_apply_new(&fixture->parameters, &apply), 0);
        for (size_t i = 0; i < fixture->size; i += piece) {
                r = payload_apply_push(apply, fixture->data + i, MIN_OF(piece, fixture->size - i),
                                       error);
                if (r < 0)
                        return r;
        }

        r = payload_apply_finish(apply, error);
        if (r < 0)
                return r;
        assert_int_equal(payload_apply_bytes(apply), fixture->size);
        assert_non_null(payload_apply_signer(apply, 0));
        assert_null(payload_apply_signer(apply, 1));
        return 0;
}

static void test_a_good_payload_can_be_pushed_in_pieces_of_any_size(_unused_ void **state)
{
        uint8_t image[IMAGE_SIZE];
        Fixture fixture;

        fixture_load(&fixture, "good");
        for (size_t piece = 1; piece <= fixture.size; piece++) {
                assert_int_equal(ftruncate(fixture.fd, 0), 0);
                assert_int_equal(fixture_apply(&fixture, piece, NULL), 0);
                assert_int_equal(pread_full(fixture.fd, image, IMAGE_SIZE, 0), 0);
                for (size_t i = 0; i < IMAGE_SIZE; i++)
                        assert_int_equal(image[i], i % 256);
        }
        fixture_done(&fixture);
}

static void test_every_kind_of_payload_can_be_pushed_in_pieces(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                Fixture fixture;

                fixture_load(&fixture, good[i]);
                for (size_t piece = 1; piece <= fixture.size; piece += 13) {
                        fixture.parameters.jobs = (unsigned)piece % 4;
                        assert_int_equal(fixture_apply(&fixture, piece, NULL), 0);
                }
                fixture_done(&fixture);
        }
}

static void test_every_flipped_byte_is_refused(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                Fixture fixture;

                fixture_load(&fixture, good[i]);
                fixture.parameters.size = 0;
                for (size_t j = 0; j < fixture.size; j++) {
                        PayloadError error = {};

                        fixture.data[j] ^= (char)(1 << j % 8);
                        assert_int_equal(fixture_apply(&fixture, fixture.size, &error), -EBADMSG);
                        assert_non_null(error.text);
                        payload_error_done(&error);
                        fixture.data[j] ^= (char)(1 << j % 8);
                }
                fixture_done(&fixture);
        }
}

static void test_every_length_but_the_right_one_is_refused(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                Fixture fixture;

                fixture_load(&fixture, good[i]);
                fixture.parameters.size = 0;
                while (fixture.size-- > 0) {
                        PayloadError error = {};

                        assert_int_equal(fixture_apply(&fixture, fixture.size + 1, &error),
                                         -EBADMSG);
                        assert_int_equal(error.refusal, PAYLOAD_REFUSAL_SIZE);
                        payload_error_done(&error);
                }
                fixture_done(&fixture);
        }
}

static void test_what_has_expired_or_is_too_old_is_refused(_unused_ void **state)
{
        PayloadError error = {};
        Fixture fixture;

        fixture_load(&fixture, "dated"); /* made at 1000, expires at 2000 */
        fixture.parameters.now = 1999;
        fixture.parameters.timestamp_min = 1000;
        assert_int_equal(fixture_apply(&fixture, 1000, &error), 0);
        fixture.parameters.now = 2000;
        assert_int_equal(fixture_apply(&fixture, 1000, &error), -EBADMSG);
        fixture.parameters.now = 0;
        fixture.parameters.timestamp_min = 1001;
        assert_int_equal(fixture_apply(&fixture, 1000, &error), -EBADMSG);
        payload_error_done(&error);
        fixture_done(&fixture);
}

static void test_every_refusal_has_its_kind(_unused_ void **state)
{
        static const struct {
                const char *name;
                PayloadRefusal refusal;
        } table[] = {
                { "magic", PAYLOAD_REFUSAL_MAGIC },
                { "version-huge", PAYLOAD_REFUSAL_VERSION },
                { "manifest-garbage", PAYLOAD_REFUSAL_MANIFEST },
                { "hash-missing", PAYLOAD_REFUSAL_OPERATION_HASH_MISSING },
                { "hash-wrong", PAYLOAD_REFUSAL_OPERATION_HASH },
                { "bzip2-trailing", PAYLOAD_REFUSAL_OPERATION },
                { "truncated-data", PAYLOAD_REFUSAL_SIZE },
                { "trailing", PAYLOAD_REFUSAL_SIZE },
                { "unsigned", PAYLOAD_REFUSAL_UNSIGNED },
                { "signature-other", PAYLOAD_REFUSAL_SIGNATURE },
                { "image-hash-wrong", PAYLOAD_REFUSAL_TARGET_HASH },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                PayloadError error = {};
                Fixture fixture;

                fixture_load(&fixture, table[i].name);
                fixture.parameters.size = 0;
                assert_int_equal(fixture_apply(&fixture, 100, &error), -EBADMSG);
                assert_int_equal(error.refusal, table[i].refusal);
                assert_non_null(error.text);
                payload_error_done(&error);
                fixture_done(&fixture);
        }
}

static void test_the_announced_size_is_compared_before_anything_is_written(_unused_ void **state)
{
        PayloadError error = {};
        Fixture fixture;

        fixture_load(&fixture, "good");
        fixture.parameters.size++;
        assert_int_equal(fixture_apply(&fixture, 1, &error), -EBADMSG);
        assert_int_equal(error.refusal, PAYLOAD_REFUSAL_SIZE);
        assert_int_equal(lseek(fixture.fd, 0, SEEK_END), 0);
        payload_error_done(&error);
        fixture_done(&fixture);
}

static void test_the_announced_hash_is_compared(_unused_ void **state)
{
        uint8_t sha256[SHA256_SIZE];
        PayloadError error = {};
        Fixture fixture;

        fixture_load(&fixture, "good");
        assert_int_equal(digest_of(fixture.data, fixture.size, sha256), 0);
        fixture.parameters.sha256 = sha256;
        assert_int_equal(fixture_apply(&fixture, 1000, &error), 0);
        sha256[0] ^= 1;
        assert_int_equal(fixture_apply(&fixture, 1000, &error), -EBADMSG);
        assert_int_equal(error.refusal, PAYLOAD_REFUSAL_HASH);
        payload_error_done(&error);
        fixture_done(&fixture);
}

static void test_a_target_that_is_too_small_stays_as_it_is(_unused_ void **state)
{
        PayloadError error = {};
        Fixture fixture;

        fixture_load(&fixture, "good");
        fixture.parameters.target = (PayloadTarget) { .fd = fixture.fd, .size = IMAGE_SIZE - 1 };
        assert_int_equal(fixture_apply(&fixture, 1000, &error), -EBADMSG);
        assert_int_equal(error.refusal, PAYLOAD_REFUSAL_TARGET_TOO_SMALL);
        assert_int_equal(lseek(fixture.fd, 0, SEEK_END), 0);
        payload_error_done(&error);
        fixture_done(&fixture);
}

static ssize_t flipping_pwrite(int fd, const void *data, size_t size, uint64_t offset)
{
        _cleanup_free_ uint8_t *copy = malloc(size);

        assert_non_null(copy);
        memcpy(copy, data, size);
        copy[size / 2] ^= 1;
        return disk_io_system.pwrite(fd, copy, size, offset);
}

/* Past the page cache or not: what the medium gives back counts, unless the caller wants it otherwise. */
static void test_a_bit_that_the_medium_flips_is_found_by_reading_back(_unused_ void **state)
{
        DiskIo flipping = disk_io_system;

        flipping.pwrite = flipping_pwrite;
        for (unsigned i = 0; i < 16; i++) {
                PayloadError error = {};
                Fixture fixture;

                fixture_load(&fixture, i & 8 ? "good-v2" : "good");
                fixture.parameters.jobs = i & 1 ? 3 : 1;
                fixture.parameters.direct = i & 2;
                fixture.parameters.cached = i & 4;
                assert_int_equal(fixture_apply(&fixture, FIXTURE_MAX, NULL), 0);
                disk_io_set(&flipping);
                assert_int_equal(fixture_apply(&fixture, FIXTURE_MAX, &error),
                                 fixture.parameters.cached && !(i & 8) ? 0 : -EBADMSG);
                disk_io_set(NULL);
                assert_int_equal(error.refusal, fixture.parameters.cached && !(i & 8)
                                                        ? PAYLOAD_REFUSAL_NONE
                                                        : PAYLOAD_REFUSAL_TARGET_HASH);
                payload_error_done(&error);
                fixture_done(&fixture);
        }
}

static void test_without_a_trusted_key_there_is_no_machine(_unused_ void **state)
{
        PayloadApplyParameters parameters = { .target = PAYLOAD_TARGET_NONE };
        _cleanup_(payload_keys_free_p) PayloadKeys *keys = NULL;
        PayloadApply *apply = NULL;

        assert_int_equal(payload_keys_new(&keys), 0);
        parameters.keys = keys;
        assert_int_equal(payload_apply_new(&parameters, &apply), -ENOKEY);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_good_payload_can_be_pushed_in_pieces_of_any_size),
                cmocka_unit_test(test_every_kind_of_payload_can_be_pushed_in_pieces),
                cmocka_unit_test(test_every_flipped_byte_is_refused),
                cmocka_unit_test(test_every_length_but_the_right_one_is_refused),
                cmocka_unit_test(test_what_has_expired_or_is_too_old_is_refused),
                cmocka_unit_test(test_every_refusal_has_its_kind),
                cmocka_unit_test(test_the_announced_size_is_compared_before_anything_is_written),
                cmocka_unit_test(test_the_announced_hash_is_compared),
                cmocka_unit_test(test_a_target_that_is_too_small_stays_as_it_is),
                cmocka_unit_test(test_a_bit_that_the_medium_flips_is_found_by_reading_back),
                cmocka_unit_test(test_without_a_trusted_key_there_is_no_machine),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
