#include "payload/compress.h"
#include "payload/decompress.h"
#include "unit/unit.h"

#define SIZE 300000

typedef struct Packed {
        uint8_t plain[SIZE];
        uint8_t packed[SIZE + 16];
        size_t size;
} Packed;

static const struct {
        Compression compression;
        Codec codec;
} codecs[] = {
        { COMPRESSION_BZIP2, CODEC_BZIP2 },
        { COMPRESSION_XZ, CODEC_XZ },
        { COMPRESSION_ZSTD, CODEC_ZSTD },
};

static Packed *packed_make(size_t index)
{
        Packed *p = calloc(1, sizeof(*p));

        assert_non_null(p);
        for (size_t i = 0; i < SIZE; i++)
                p->plain[i] = (uint8_t)(i / 100 * 7 + i % 5);
        assert_int_equal(compress(codecs[index].compression,
                                  compression_level_default(codecs[index].compression), p->plain,
                                  SIZE, p->packed, SIZE, &p->size),
                         0);
        return p;
}

/* Unpacks in pieces of step bytes and compares; returns what the last read said. */
static int packed_read(const Packed *p, Codec codec, size_t size, size_t step)
{
        _cleanup_(decoder_free_p) Decoder *decoder = NULL;
        uint8_t *buffer = malloc(step);
        size_t n, total = 0;
        int r;

        assert_non_null(buffer);
        r = decoder_new(codec, p->packed, size, &decoder);
        if (r < 0) {
                free(buffer);
                return r;
        }
        do {
                r = decoder_read(decoder, buffer, step, &n);
                if (r < 0)
                        break;
                assert_true(total + n <= SIZE);
                assert_memory_equal(buffer, p->plain + total, n);
                total += n;
        } while (n == step);

        free(buffer);
        assert_true(r < 0 || total == SIZE);
        return r;
}

static void test_what_was_packed_unpacks_in_pieces_of_any_size(_unused_ void **state)
{
        static const size_t steps[] = { 1, 1000, SIZE - 1, SIZE, SIZE + 1, 4 * SIZE };

        for (size_t i = 0; i < ELEMENTSOF(codecs); i++) {
                Packed *p = packed_make(i);

                for (size_t j = 0; j < ELEMENTSOF(steps); j++)
                        assert_int_equal(packed_read(p, codecs[i].codec, p->size, steps[j]), 0);
                free(p);
        }
}

static void test_a_stream_that_ends_early_or_goes_on_is_refused(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(codecs); i++) {
                Packed *p = packed_make(i);

                for (size_t n = 0; n < p->size; n += 1 + p->size / 50)
                        assert_int_equal(packed_read(p, codecs[i].codec, n, 1 << 20), -EBADMSG);
                assert_int_equal(packed_read(p, codecs[i].codec, p->size - 1, 1 << 20), -EBADMSG);
                assert_int_equal(packed_read(p, codecs[i].codec, p->size + 1, 1 << 20), -EBADMSG);
                memmove(p->packed + p->size, p->packed, MIN_OF(p->size, (size_t)16));
                free(p);
        }
}

static void test_what_does_not_become_smaller_is_not_packed(_unused_ void **state)
{
        static const uint8_t data[] = { 'x', 'y', 'z' };
        uint8_t output[2];
        size_t size;

        for (size_t i = 0; i < ELEMENTSOF(codecs); i++)
                assert_int_equal(compress(codecs[i].compression, 1, data, sizeof(data), output,
                                          sizeof(output), &size),
                                 -ENOSPC);
        assert_int_equal(
                compress(COMPRESSION_NONE, 0, data, sizeof(data), output, sizeof(output), &size),
                -ENOSPC);
}

static void test_brotli_and_bare_data_unpack_and_end_where_they_end(_unused_ void **state)
{
        static const uint8_t brotli[] = { 0x0b, 0x02, 0x80, 'h', 'e', 'l', 'l', 'o', 0x03, 0 };
        uint8_t buffer[16];
        size_t n;

        for (size_t size = 0; size <= sizeof(brotli); size++) {
                _cleanup_(decoder_free_p) Decoder *decoder = NULL;
                int wanted = size == sizeof(brotli) - 1 ? 0 : -EBADMSG;

                assert_int_equal(decoder_new(CODEC_BROTLI, brotli, size, &decoder), 0);
                assert_int_equal(decoder_read(decoder, buffer, sizeof(buffer), &n), wanted);
                if (wanted == 0) {
                        assert_int_equal(n, 5);
                        assert_memory_equal(buffer, "hello", 5);
                }
        }
        for (size_t size = 0; size <= sizeof(brotli); size++) {
                _cleanup_(decoder_free_p) Decoder *decoder = NULL;

                assert_int_equal(decoder_new(CODEC_NONE, brotli, size, &decoder), 0);
                assert_int_equal(decoder_read(decoder, buffer, sizeof(buffer), &n), 0);
                assert_int_equal(n, size);
                assert_int_equal(decoder_read(decoder, buffer, sizeof(buffer), &n), 0);
                assert_int_equal(n, 0);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_was_packed_unpacks_in_pieces_of_any_size),
                cmocka_unit_test(test_a_stream_that_ends_early_or_goes_on_is_refused),
                cmocka_unit_test(test_brotli_and_bare_data_unpack_and_end_where_they_end),
                cmocka_unit_test(test_what_does_not_become_smaller_is_not_packed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
