#include <sys/socket.h>

#include "base/io.h"
#include "locksmith/bus-left.h"
#include "unit/unit.h"

/* A StatusUpdate as dbus-daemon delivers it, from ":1.7", with the body of a GetStatus reply: 208 bytes. */
static const char signal_bytes[] = "l\4\1\1\x40\0\0\0\5\0\0\0\x7b\0\0\0"
                                   "\1\1o\0\x13\0\0\0/com/coreos/update1\0\0\0\0\0"
                                   "\2\1s\0\x1a\0\0\0com.coreos.update1.Manager\0\0\0\0\0\0"
                                   "\3\1s\0\x0c\0\0\0StatusUpdate\0\0\0\0"
                                   "\7\1s\0\4\0\0\0:1.7\0\0\0\0"
                                   "\x08\1g\0\5xdssx\0\0\0\0\0\0"
                                   "\1\0\0\0\0\0\0\0"
                                   "\0\0\0\0\0\0\0\0"
                                   "\x12\0\0\0UPDATE_STATUS_IDLE\0\0"
                                   "\5\0\0\0"
                                   "2.0.0\0\0\0\0\0\0\0"
                                   "\0\0\0\0\0\0\0\0";

typedef struct Seen {
        unsigned n, n_good;
        int answer;
} Seen;

static int on_message(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        Seen *seen = userdata;

        seen->n++;
        if (sd_bus_message_is_signal(message, "com.coreos.update1.Manager", "StatusUpdate") > 0
            && streq(sd_bus_message_get_sender(message), ":1.7"))
                seen->n_good++;
        return seen->answer;
}

/* The bytes, in a connection that nobody reads. */
static int left_read(const char *data, size_t size, Seen *seen)
{
        int pair[2], r;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(write_full(pair[1], data, size), 0);
        r = bus_left_read(pair[0], on_message, seen);
        close_fd(pair[0]);
        close_fd(pair[1]);
        return r;
}

static void test_nothing_was_left(_unused_ void **state)
{
        Seen seen = {};

        assert_int_equal(left_read("", 0, &seen), 0);
        assert_int_equal(seen.n, 0);
}

static void test_every_message_is_told_in_order(_unused_ void **state)
{
        char three[3 * (sizeof(signal_bytes) - 1)];
        Seen seen = {};

        for (size_t i = 0; i < 3; i++)
                memcpy(three + i * (sizeof(signal_bytes) - 1), signal_bytes,
                       sizeof(signal_bytes) - 1);
        assert_int_equal(left_read(signal_bytes, sizeof(signal_bytes) - 1, &seen), 0);
        assert_int_equal(seen.n_good, 1);
        assert_int_equal(left_read(three, sizeof(three), &seen), 0);
        assert_int_equal(seen.n, 4);
        assert_int_equal(seen.n_good, 4);
}

static void test_half_a_message_is_none(_unused_ void **state)
{
        Seen seen = {};

        for (size_t size = 1; size < sizeof(signal_bytes) - 1; size++)
                assert_int_equal(left_read(signal_bytes, size, &seen), 0);
        assert_int_equal(seen.n, 0);
}

static void test_what_is_no_message_is_an_error_not_a_crash(_unused_ void **state)
{
        Seen seen = {};
        char bytes[64];

        memset(bytes, 0xff, sizeof(bytes));
        assert_true(left_read(bytes, sizeof(bytes), &seen) < 0);
        assert_int_equal(seen.n, 0);
}

static void test_the_handler_can_end_the_round(_unused_ void **state)
{
        Seen seen = { .answer = -ENOMEM };

        assert_int_equal(left_read(signal_bytes, sizeof(signal_bytes) - 1, &seen), -ENOMEM);
        assert_int_equal(seen.n, 1);
}

static void test_a_file_is_no_connection(_unused_ void **state)
{
        Seen seen = {};

        assert_true(bus_left_read(STDIN_FILENO + 1000, on_message, &seen) < 0);
        assert_int_equal(seen.n, 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_was_left),
                cmocka_unit_test(test_every_message_is_told_in_order),
                cmocka_unit_test(test_half_a_message_is_none),
                cmocka_unit_test(test_what_is_no_message_is_an_error_not_a_crash),
                cmocka_unit_test(test_the_handler_can_end_the_round),
                cmocka_unit_test(test_a_file_is_no_connection),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
