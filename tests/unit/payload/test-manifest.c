#include "payload/header.h"
#include "payload/manifest-writer.h"
#include "payload/manifest.h"
#include "unit/unit.h"

/* A manifest of one image of one block, and what is around it. */
typedef struct Model {
        Extent extents[2];
        Operation operations[2];
        Partition partitions[2];
        Manifest manifest;
} Model;

static void model_init(Model *model)
{
        *model = (Model) {
                .extents = { { 0, 256 }, { 0, 1 } },
                .operations = {
                        { .data_length = 100, .has_sha256 = true },
                        { .data_offset = 100, .data_length = 10, .has_sha256 = true },
                },
                .partitions = {
                        { .role = PARTITION_SLOT, .n_operations = 1, .new_image = { true, 4096 } },
                        { .role = PARTITION_KERNEL, .n_operations = 1, .new_image = { true, 10 } },
                },
        };
        for (size_t i = 0; i < 2; i++) {
                model->operations[i].target = (ExtentList) { &model->extents[i], 1 };
                model->partitions[i].operations = &model->operations[i];
        }
        model->manifest = (Manifest) {
                .version = HEADER_VERSION_1,
                .block_size = 4096,
                .partitions = model->partitions,
                .n_partitions = 2,
                .operations = model->operations,
                .n_operations = 2,
                .extents = model->extents,
                .n_extents = 2,
                .data_size = 110,
        };
}

static void test_what_was_written_reads_the_same(_unused_ void **state)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(MANIFEST_SIZE_MAX);
        _cleanup_(manifest_free_p) Manifest *manifest = NULL;
        Model model;

        model_init(&model);
        assert_int_equal(manifest_write(&model.manifest, &buffer), 0);
        assert_int_equal(manifest_parse(HEADER_VERSION_1, (const uint8_t *)buffer.data, buffer.size,
                                        &manifest, NULL),
                         0);
        assert_int_equal(manifest->n_partitions, 2);
        assert_int_equal(manifest->n_operations, 2);
        assert_int_equal(manifest->data_size, 110);
        assert_int_equal(manifest->signatures_size, 0);
        assert_int_equal(manifest->partitions[1].role, PARTITION_KERNEL);
        assert_int_equal(manifest->partitions[1].new_image.size, 10);
        assert_int_equal(manifest->partitions[1].operations[0].data_offset, 100);
        assert_int_equal(manifest->partitions[0].operations[0].target.items[0].n_blocks, 256);
}

static int place_write(const Buffer *from, size_t size, Buffer *to)
{
        SignaturesPlace place = { .version = HEADER_VERSION_1, .data_size = 110, .size = size };

        return manifest_write_signatures(from->data, from->size, &place, to);
}

static void test_the_place_of_signatures_can_be_set_changed_and_taken_away(_unused_ void **state)
{
        _cleanup_(buffer_done) Buffer plain = BUFFER_MAX(MANIFEST_SIZE_MAX),
                                      one = BUFFER_MAX(MANIFEST_SIZE_MAX),
                                      two = BUFFER_MAX(MANIFEST_SIZE_MAX),
                                      none = BUFFER_MAX(MANIFEST_SIZE_MAX);
        _cleanup_(manifest_free_p) Manifest *manifest = NULL;
        Model model;

        model_init(&model);
        assert_int_equal(manifest_write(&model.manifest, &plain), 0);
        assert_int_equal(place_write(&plain, 264, &one), 0);
        assert_int_equal(place_write(&one, 528, &two), 0);
        assert_int_equal(place_write(&two, 0, &none), 0);

        assert_int_equal(manifest_parse(HEADER_VERSION_1, (const uint8_t *)two.data, two.size,
                                        &manifest, NULL),
                         0);
        assert_int_equal(manifest->signatures_size, 528);
        assert_int_equal(one.size, two.size); /* one operation for the signatures, not two */
        assert_int_equal(none.size, plain.size);
        assert_memory_equal(none.data, plain.data, plain.size);
}

static void test_data_above_four_gibibytes_does_not_fit_into_version_1(_unused_ void **state)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(MANIFEST_SIZE_MAX);
        Model model;

        model_init(&model);
        model.manifest.data_size = UINT64_C(1) << 32;
        assert_int_equal(manifest_write(&model.manifest, &buffer), -EFBIG);
}

/* Fills data with n copies of a message; returns the size. */
static size_t repeat(uint8_t *data, size_t n, const char *message, size_t size)
{
        for (size_t i = 0; i < n; i++)
                memcpy(data + i * size, message, size);
        return n * size;
}

static void assert_refused(const uint8_t *data, size_t size, const char *why)
{
        PayloadError error = {};
        Manifest *manifest = NULL;

        assert_int_equal(manifest_parse(HEADER_VERSION_1, data, size, &manifest, &error), -EBADMSG);
        assert_int_equal(error.refusal, PAYLOAD_REFUSAL_MANIFEST);
        assert_non_null(strstr(error.text, why));
        payload_error_done(&error);
}

static void test_tiny_messages_can_not_take_much_memory(_unused_ void **state)
{
        uint8_t *data = malloc(MANIFEST_SIZE_MAX);

        assert_non_null(data);
        /* an operation with its type only; an empty procedure; an unknown field */
        assert_refused(data, repeat(data, OPERATIONS_MAX + 1, "\x0a\x02\x08\x00", 4), "operations");
        assert_refused(data, repeat(data, MANIFEST_SIZE_MAX / 4, "\x0a\x02\x08\x00", 4), "memory");
        assert_refused(data, repeat(data, MANIFEST_SIZE_MAX / 2, "\x52\x00", 2), "memory");
        assert_refused(data, repeat(data, MANIFEST_SIZE_MAX / 2, "\x78\x00", 2), "memory");
        free(data);
}

static void test_one_operation_with_too_many_extents_is_refused(_unused_ void **state)
{
        uint8_t *data = malloc(MANIFEST_SIZE_MAX);
        size_t size = 2 * (EXTENTS_MAX + 1) + 2;

        assert_non_null(data);
        memcpy(data, "\x0a\x84\x80\x20\x08\x00", 6);
        assert_int_equal(size, 0x80004); /* as the varint above says */
        (void)repeat(data + 6, EXTENTS_MAX + 1, "\x32\x00", 2);
        assert_refused(data, size + 4, "extents");
        free(data);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_was_written_reads_the_same),
                cmocka_unit_test(test_the_place_of_signatures_can_be_set_changed_and_taken_away),
                cmocka_unit_test(test_data_above_four_gibibytes_does_not_fit_into_version_1),
                cmocka_unit_test(test_tiny_messages_can_not_take_much_memory),
                cmocka_unit_test(test_one_operation_with_too_many_extents_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
