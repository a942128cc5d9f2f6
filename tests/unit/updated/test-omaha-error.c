#include "omaha-error.h"
#include "unit/unit.h"

static void test_every_error_has_its_own_word(_unused_ void **state)
{
        for (int i = 0; i < _UPDATE_ERROR_MAX; i++) {
                const char *word = update_error_to_string((UpdateErrorCode)i);

                assert_non_null(word);
                assert_int_equal(update_error_from_string(word), i);
        }
        assert_null(update_error_to_string(_UPDATE_ERROR_MAX));
        assert_int_equal(update_error_from_string("nonsense"), _UPDATE_ERROR_INVALID);
}

static void test_every_error_but_none_has_a_number(_unused_ void **state)
{
        for (int i = 1; i < _UPDATE_ERROR_MAX; i++)
                assert_true(omaha_error_number(&(UpdateFailure) { .code = (UpdateErrorCode)i })
                            > 0);
        assert_int_equal(omaha_error_number(&(UpdateFailure) {}), 0);
}

static void test_http_status_is_part_of_the_number(_unused_ void **state)
{
        UpdateFailure failure = { .code = UPDATE_ERROR_HTTP_STATUS, .http_status = 500 };

        assert_int_equal(omaha_error_number(&failure), 2500);
        failure.http_status = 12345;
        assert_int_equal(omaha_error_number(&failure), 2999);
}

static void test_every_refusal_of_a_payload_is_known(_unused_ void **state)
{
        for (int i = PAYLOAD_REFUSAL_NONE + 1; i < _PAYLOAD_REFUSAL_MAX; i++)
                assert_true(update_error_from_payload((PayloadRefusal)i) > UPDATE_ERROR_GENERIC);
        assert_int_equal(update_error_from_payload(_PAYLOAD_REFUSAL_MAX), UPDATE_ERROR_GENERIC);
}

static void test_the_last_sentence_stays(_unused_ void **state)
{
        _cleanup_(update_failure_done) UpdateFailure failure = {};

        assert_string_equal(update_failure_text(&failure), "no details, because memory is short");
        assert_int_equal(update_failure_set(&failure, -EIO, UPDATE_ERROR_KEYS, "%d", 1), -EIO);
        assert_int_equal(update_failure_set(&failure, -EPERM, UPDATE_ERROR_SLOTS, "%d", 2), -EPERM);
        assert_int_equal(failure.code, UPDATE_ERROR_SLOTS);
        assert_string_equal(update_failure_text(&failure), "2");
}

static void test_a_sentence_is_one_printable_line(_unused_ void **state)
{
        _cleanup_(update_failure_done) UpdateFailure failure = {};

        (void)update_failure_set(&failure, 0, UPDATE_ERROR_TRANSFER,
                                 "a\nSTAGE=done\033[2J \xff\xc3");
        assert_string_equal(update_failure_text(&failure), "a?STAGE=done?[2J ??");
        (void)update_failure_set(&failure, 0, UPDATE_ERROR_TRANSFER, "gr\xc3\xbcn");
        assert_string_equal(update_failure_text(&failure), "gr\xc3\xbcn");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_error_has_its_own_word),
                cmocka_unit_test(test_every_error_but_none_has_a_number),
                cmocka_unit_test(test_http_status_is_part_of_the_number),
                cmocka_unit_test(test_every_refusal_of_a_payload_is_known),
                cmocka_unit_test(test_the_last_sentence_stays),
                cmocka_unit_test(test_a_sentence_is_one_printable_line),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
