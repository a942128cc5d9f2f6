#include "locksmith/duration.h"
#include "unit/unit.h"

#define MINUTE USEC_PER_MINUTE

static void test_what_is_written_can_be_read(_unused_ void **state)
{
        Durations durations = { { 3 * MINUTE, MINUTE }, 2, 1000 * USEC_PER_SEC, NULL };
        _cleanup_(durations_done) Durations again = {};
        _cleanup_free_ char *text = NULL;

        assert_int_equal(text_set(&durations.boot_id, "abc"), 0);
        assert_int_equal(durations_format(&durations, &text), 0);
        assert_string_equal(text, "asked 1000 abc\ntook 180\ntook 60\n");
        assert_int_equal(durations_parse(text, &again), 0);
        assert_int_equal(again.n_took, 2);
        assert_true(again.took[0] == 3 * MINUTE && again.asked == durations.asked);
        assert_string_equal(again.boot_id, "abc");
        durations_done(&durations);
}

static void test_other_texts_are_refused(_unused_ void **state)
{
        static const char *const bad[] = {
                "asked",
                "asked 1000",
                "asked 0 abc",
                "asked -1 abc",
                "asked 99999999999 abc",
                "asked 1000 abc def",
                "asked 1000 abc\nasked 1001 abc",
                "took 0",
                "took 7201",
                "took 60 60",
                "took 60s",
                "took 1\ntook 1\ntook 1\ntook 1\ntook 1\ntook 1",
                "gone 60",
                "\1",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                Durations durations = {};

                assert_int_equal(durations_parse(bad[i], &durations), -EBADMSG);
        }
}

static void test_a_reboot_is_over_in_another_boot(_unused_ void **state)
{
        static const struct {
                const char *text, *boot_id;
                uint64_t now; /* seconds */
                bool over;
                uint64_t took;
                size_t n_took;
        } table[] = {
                { "asked 1000 a", "b", 1300, true, 300, 1 },
                { "asked 1000 a", "a", 1300, false, 0, 0 }, /* only locksmithd was started again */
                { "asked 1000 a", "", 1300, false, 0, 0 },  /* who knows */
                { "asked 1000 a", "b", 900, true, 0, 0 },   /* the clock was set */
                { "asked 1000 a", "b", 1000, true, 0, 0 },
                { "asked 1000 a", "b", 8201, true, 0, 0 }, /* it was off for long */
                { "took 60", "b", 1300, false, 0, 1 },
                { "asked 1000 a\ntook 1\ntook 2\ntook 3\ntook 4\ntook 5", "b", 1300, true, 300, 5 },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(durations_done) Durations durations = {};
                usec_t took;

                assert_int_equal(durations_parse(table[i].text, &durations), 0);
                assert_int_equal(durations_close(&durations, table[i].boot_id,
                                                 table[i].now * USEC_PER_SEC, &took),
                                 table[i].over);
                assert_int_equal(took, table[i].took * USEC_PER_SEC);
                assert_int_equal(durations.n_took, table[i].n_took);
                if (took > 0)
                        assert_true(durations.took[0] == took);
                if (table[i].over)
                        assert_true(durations.asked == 0);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_written_can_be_read),
                cmocka_unit_test(test_other_texts_are_refused),
                cmocka_unit_test(test_a_reboot_is_over_in_another_boot),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
