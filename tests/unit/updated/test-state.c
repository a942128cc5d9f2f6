#include "base/io.h"
#include "base/text.h"
#include "event-queue.h"
#include "state.h"
#include "unit/unit.h"

static char *root;

static int set_up(_unused_ void **state)
{
        root = directory_make();
        return 0;
}

static void test_what_is_written_is_read_again(_unused_ void **state)
{
        _cleanup_(state_done) State written = {}, read = {};

        assert_int_equal(text_set(&written.previous_version, ""), 0);
        assert_int_equal(text_set(&written.staged_version, "2.0 \"beta\""), 0);
        assert_int_equal(text_set(state_slot_version(&written, "B"), "2.0"), 0);
        assert_int_equal(state_write(root, &written), 0);
        assert_int_equal(state_read(root, &read), 0);
        assert_string_equal(read.previous_version, ""); /* told: not the same as unknown */
        assert_string_equal(read.staged_version, "2.0 \"beta\"");
        assert_string_equal(read.version_b, "2.0");
        assert_null(read.aleph_version);
        assert_null(state_slot_version(&read, "C"));
}

/* Whatever happened to the file: no crash, no trust, an empty state. */
static void test_damaged_states_are_empty_ones(_unused_ void **state)
{
        static const char *const damaged[] = {
                "",         "\n",    "STATE=2\nALEPH_VERSION=1\n", "ALEPH_VERSION=1\n",
                "\xff\xfe", "STATE", "STATE=\nALEPH_VERSION=1\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(damaged); i++) {
                _cleanup_(state_done) State read = {};

                file_put(root, STATE_PATH, damaged[i]);
                assert_int_equal(state_read(root, &read), 0);
                assert_null(read.aleph_version);
        }
}

static void test_a_directory_in_place_of_the_state_is_no_disaster(_unused_ void **state)
{
        _cleanup_(state_done) State read = {};

        file_put(root, STATE_PATH "/x", "");
        assert_int_equal(state_read(root, &read), 0);
}

static void test_what_was_staged_can_be_forgotten(_unused_ void **state)
{
        _cleanup_(state_done) State s = {};

        state_unstage(&s);
        assert_null(s.previous_version);
        assert_int_equal(text_set(&s.staged_boot_id, "x"), 0);
        assert_int_equal(text_set(&s.previous_version, "1.0"), 0);
        state_unstage(&s);
        assert_null(s.staged_boot_id);
        assert_string_equal(s.previous_version, "");
}

static void test_trusted_time_never_goes_back(_unused_ void **state)
{
        _cleanup_(state_done) State s = {};

        assert_int_equal(state_trust_time(&s, 0), 0);
        assert_null(s.trusted_time);
        assert_int_equal(state_trust_time(&s, 100), 0);
        assert_int_equal(state_trust_time(&s, 50), 0);
        assert_int_equal(state_time(s.trusted_time), 100);
        assert_int_equal(state_time("nonsense"), 0);
        assert_int_equal(state_time(NULL), 0);
        assert_int_equal(state_set_time(&s.trusted_time, 0), 0);
        assert_null(s.trusted_time);
}

static void queue_expect(const char *wanted)
{
        _cleanup_free_ char *text = NULL;
        uint64_t number;
        int r = event_queue_first(root, &number, &text);

        if (!wanted) {
                assert_int_equal(r, -ENOENT);
                return;
        }
        assert_int_equal(r, 0);
        assert_string_equal(text, wanted);
        assert_int_equal(event_queue_remove(root, number), 0);
}

static void test_events_leave_in_the_order_in_which_they_came(_unused_ void **state)
{
        queue_expect(NULL);
        assert_int_equal(event_queue_add(root, "one"), 0);
        assert_int_equal(event_queue_add(root, "two"), 0);
        assert_int_equal(event_queue_add(root, "two"), 0); /* told once is enough */
        assert_int_equal(event_queue_add(root, "one"), 0);
        queue_expect("one");
        assert_int_equal(event_queue_add(root, "three"), 0);
        queue_expect("two");
        queue_expect("one");
        queue_expect("three");
        queue_expect(NULL);
}

static void test_the_queue_is_bounded(_unused_ void **state)
{
        for (int i = 0; i < EVENT_QUEUE_MAX + 2; i++) {
                _cleanup_free_ char *text = NULL;

                assert_true(text_format(&text, "%d", i) >= 0);
                assert_int_equal(event_queue_add(root, text), 0);
        }
        queue_expect("2");
}

static void test_damaged_events_do_not_hold_up_the_others(_unused_ void **state)
{
        assert_int_equal(file_replace(root, EVENT_QUEUE_PATH "/0000000000000001", "a\0b", 3, 0644),
                         0);
        file_put(root, EVENT_QUEUE_PATH "/0000000000000002.XyZ", "x");
        assert_int_equal(event_queue_add(root, "good"), 0);
        queue_expect("good");
        queue_expect(NULL);
}

#define CASE(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
        static const struct CMUnitTest tests[] = {
                CASE(test_what_is_written_is_read_again),
                CASE(test_damaged_states_are_empty_ones),
                CASE(test_a_directory_in_place_of_the_state_is_no_disaster),
                CASE(test_what_was_staged_can_be_forgotten),
                CASE(test_trusted_time_never_goes_back),
                CASE(test_events_leave_in_the_order_in_which_they_came),
                CASE(test_the_queue_is_bounded),
                CASE(test_damaged_events_do_not_hold_up_the_others),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
