#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/io.h"
#include "serve-connection.h"
#include "unit/unit.h"

#define INTERVAL (50 * USEC_PER_MSEC)
#define DEADLINE (10 * USEC_PER_SEC)

/* A TCP connection through loopback: what counts is what the kernel says of it. */
typedef struct Pair {
        sd_event *event;
        int server, client;
        Connection *connection;
} Pair;

static Pair pair_make(void)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        Pair pair = {};

        assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
        pair.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(pair.client, (struct sockaddr *)&address, size), 0);
        pair.server = accept(listener, NULL, NULL);
        assert_true(pair.server >= 0);
        close(listener);

        assert_true(sd_event_new(&pair.event) >= 0);
        assert_int_equal(connection_new(pair.event, pair.server, INTERVAL, &pair.connection), 0);
        return pair;
}

static void pair_done(Pair *pair)
{
        pair->connection = connection_free(pair->connection);
        sd_event_unref(pair->event);
        close(pair->server);
        close(pair->client);
}

/* Has the server's side been shut down? Takes what has come in out of the way. */
static bool pair_is_shut(const Pair *pair)
{
        char data[4096];
        ssize_t n;

        do
                n = recv(pair->client, data, sizeof(data), MSG_DONTWAIT);
        while (n > 0);
        return n == 0;
}

/*
 * Runs for some intervals, or until it is shut; each time the loop wakes up, size bytes are sent.
 */
static bool pair_survives(Pair *pair, unsigned intervals, size_t size)
{
        static const char data[4096];
        usec_t begin = now_boottime();

        while (now_boottime() - begin < intervals * INTERVAL) {
                assert_int_equal(write_full(pair->client, data, size), 0);
                assert_true(sd_event_run(pair->event, INTERVAL / 5) >= 0);
                assert_true(now_boottime() - begin < DEADLINE);
                if (pair_is_shut(pair))
                        return false;
        }

        return true;
}

static void test_a_client_that_says_nothing_is_dropped(_unused_ void **state)
{
        Pair pair = pair_make();

        assert_false(pair_survives(&pair, 40, 0));
        pair_done(&pair);
}

static void test_a_client_that_never_finishes_asking_is_dropped(_unused_ void **state)
{
        Pair pair = pair_make();

        assert_false(pair_survives(&pair, 40, 1000));
        pair_done(&pair);
}

static void test_an_answer_that_nobody_takes_is_given_up(_unused_ void **state)
{
        Pair pair = pair_make();

        connection_asked(pair.connection);
        assert_false(pair_survives(&pair, 40, 0));
        pair_done(&pair);
}

static void test_an_answer_that_moves_goes_on(_unused_ void **state)
{
        Pair pair = pair_make();

        connection_asked(pair.connection);
        assert_true(pair_survives(&pair, 6, 1000));
        pair_done(&pair);
}

static void test_a_client_that_asks_again_and_again_is_kept(_unused_ void **state)
{
        Pair pair = pair_make();

        for (unsigned i = 0; i < 40; i++) {
                connection_asked(pair.connection);
                connection_answered(pair.connection);
                assert_int_equal(write_full(pair.client,
                                            "0123456789012345678901234567890123456789"
                                            "0123456789012345678901234567890123456789"
                                            "0123456789012345678901234567890123456789",
                                            120),
                                 0);
                assert_true(sd_event_run(pair.event, INTERVAL / 8) >= 0);
                assert_false(pair_is_shut(&pair));
        }
        pair_done(&pair);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_client_that_says_nothing_is_dropped),
                cmocka_unit_test(test_a_client_that_never_finishes_asking_is_dropped),
                cmocka_unit_test(test_an_answer_that_nobody_takes_is_given_up),
                cmocka_unit_test(test_an_answer_that_moves_goes_on),
                cmocka_unit_test(test_a_client_that_asks_again_and_again_is_kept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
