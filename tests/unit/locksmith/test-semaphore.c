#include "locksmith/semaphore.h"
#include "unit/locksmith/bad.h"
#include "unit/unit.h"

static Semaphore parsed(const char *text)
{
        Semaphore semaphore;
        const char *why;

        assert_int_equal(semaphore_parse(text, strlen(text), &semaphore, &why), 0);
        return semaphore;
}

static void assert_written(const Semaphore *semaphore, const char *wanted)
{
        _cleanup_free_ char *text = NULL;

        assert_int_equal(semaphore_format(semaphore, &text), 0);
        assert_string_equal(text, wanted);
}

static void test_an_absent_key_is_one_free_slot(_unused_ void **state)
{
        Semaphore semaphore = SEMAPHORE_INITIAL;

        assert_written(&semaphore, "{\"semaphore\":1,\"max\":1,\"holders\":null}");
}

static void test_what_go_reads_is_read_and_written_as_go_writes(_unused_ void **state)
{
        static const struct {
                const char *text, *written;
        } table[] = {
                { "null", "{\"semaphore\":0,\"max\":0,\"holders\":null}" },
                { "{}", "{\"semaphore\":0,\"max\":0,\"holders\":null}" },
                { "{\"max\":null,\"holders\":[]}", "{\"semaphore\":0,\"max\":0,\"holders\":[]}" },
                { " {\"semaphore\":1,\"max\":1,\"holders\":null}\n",
                  "{\"semaphore\":1,\"max\":1,\"holders\":null}" },
                { "{\"MAX\":3,\"Holders\":[\"a\"],\"sEmaphore\":2}",
                  "{\"semaphore\":2,\"max\":3,\"holders\":[\"a\"]}" },
                { "{\"max\":2,\"max\":3}", "{\"semaphore\":3,\"max\":3,\"holders\":null}" },
                { "{\"max\":-0}", "{\"semaphore\":0,\"max\":0,\"holders\":null}" },
                { "{\"max\":1,\"holders\":[null]}",
                  "{\"semaphore\":0,\"max\":1,\"holders\":[\"\"]}" },
                { "{\"max\":-1}", "{\"semaphore\":-1,\"max\":-1,\"holders\":null}" },
                /* foreign fields are ignored, and dropped by the next write, as old clients do */
                { "{\"semaphore\":1,\"max\":1,\"holders\":null,\"note\":{\"by\":\"me\"}}",
                  "{\"semaphore\":1,\"max\":1,\"holders\":null}" },
                /* unsorted, twice the same, and a wrong count: put right */
                { "{\"semaphore\":7,\"max\":4,\"holders\":[\"z\",\"a\",\"z\"]}",
                  "{\"semaphore\":2,\"max\":4,\"holders\":[\"a\",\"z\"]}" },
                { "{\"max\":1,\"holders\":[\"a\\\"\\\\\\n\\r\\t\\u0001<>&\\u2028\xc3\xa9\"]}",
                  "{\"semaphore\":0,\"max\":1,\"holders\":[\"a\\\"\\\\\\n\\r\\t\\u0001\\u003c\\u003e\\u0026\\u2028\xc3\xa9\"]}" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(semaphore_done) Semaphore semaphore = parsed(table[i].text);

                assert_written(&semaphore, table[i].written);
        }
}

static int parse(const char *data, size_t size)
{
        _cleanup_(semaphore_done) Semaphore semaphore = {};
        const char *why = NULL;
        int r;

        r = semaphore_parse(data, size, &semaphore, &why);
        if (r < 0)
                assert_non_null(why);
        return r;
}

static void test_what_is_no_semaphore_is_refused(_unused_ void **state)
{
        bad_files_refused("semaphore", -EBADMSG, parse);
}

static void test_a_document_without_end_is_refused(_unused_ void **state)
{
        _cleanup_free_ char *text = malloc(SEMAPHORE_TEXT_MAX + 1);

        assert_non_null(text);
        memset(text, ' ', SEMAPHORE_TEXT_MAX + 1);
        memcpy(text, "{}", 2);
        assert_int_equal(parse(text, SEMAPHORE_TEXT_MAX), 0);
        assert_int_equal(parse(text, SEMAPHORE_TEXT_MAX + 1), -EBADMSG);
}

static void test_taking_and_releasing_keep_the_holders_sorted(_unused_ void **state)
{
        _cleanup_(semaphore_done) Semaphore semaphore = parsed("{\"max\":3}");

        assert_int_equal(semaphore_take(&semaphore, "m"), 1);
        assert_int_equal(semaphore_take(&semaphore, "z"), 1);
        assert_int_equal(semaphore_take(&semaphore, "a"), 1);
        assert_written(&semaphore, "{\"semaphore\":0,\"max\":3,\"holders\":[\"a\",\"m\",\"z\"]}");
        assert_int_equal(semaphore_take(&semaphore, "b"), -EBUSY);
        assert_int_equal(semaphore_take(&semaphore, "m"), 0);
        assert_int_equal(semaphore_release(&semaphore, "b"), -ENOENT);
        assert_int_equal(semaphore_release(&semaphore, "m"), 1);
        assert_false(semaphore_is_held_by(&semaphore, "m"));
        assert_int_equal(semaphore_release(&semaphore, "a"), 1);
        assert_int_equal(semaphore_release(&semaphore, "z"), 1);
        assert_written(&semaphore, "{\"semaphore\":3,\"max\":3,\"holders\":[]}");
}

static void test_lowering_max_throws_nobody_out(_unused_ void **state)
{
        _cleanup_(semaphore_done) Semaphore semaphore =
                parsed("{\"semaphore\":0,\"max\":3,\"holders\":[\"a\",\"b\",\"c\"]}");

        assert_int_equal(semaphore_set_max(&semaphore, 1), 1);
        assert_written(&semaphore, "{\"semaphore\":-2,\"max\":1,\"holders\":[\"a\",\"b\",\"c\"]}");
        assert_int_equal(semaphore_release(&semaphore, "a"), 1);
        assert_int_equal(semaphore_take(&semaphore, "a"), -EBUSY);
        assert_int_equal(semaphore_set_max(&semaphore, -1), -ERANGE);
        assert_int_equal(semaphore.max, 1);
        assert_int_equal(semaphore_set_max(&semaphore, 0), 1);
        assert_int_equal(semaphore_take(&semaphore, "b"), 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_an_absent_key_is_one_free_slot),
                cmocka_unit_test(test_what_go_reads_is_read_and_written_as_go_writes),
                cmocka_unit_test(test_what_is_no_semaphore_is_refused),
                cmocka_unit_test(test_a_document_without_end_is_refused),
                cmocka_unit_test(test_taking_and_releasing_keep_the_holders_sorted),
                cmocka_unit_test(test_lowering_max_throws_nobody_out),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
