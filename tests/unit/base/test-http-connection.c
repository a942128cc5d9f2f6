#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/http-connection.h"
#include "base/io.h"
#include "unit/unit.h"

#define NEVER \
        USEC_PER_DAY /* the tests look by themselves, so that a busy machine changes nothing */
#define SOON (1 * USEC_PER_MSEC)

/* A TCP connection through loopback: what counts is what the kernel says of it. */
typedef struct Pair {
        sd_event *event;
        int server, client;
        Connection *connection;
} Pair;

static Pair pair_make(usec_t interval)
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
        assert_int_equal(connection_new(pair.event, pair.server, interval, &pair.connection), 0);
        return pair;
}

static void pair_done(Pair *pair)
{
        pair->connection = connection_free(pair->connection);
        sd_event_unref(pair->event);
        close(pair->server);
        close(pair->client);
}

/* The client sends size bytes; on loopback they have arrived when write() returns. */
static void pair_send(const Pair *pair, size_t size)
{
        static const char data[4096];

        assert_int_equal(write_full(pair->client, data, size), 0);
}

static bool pair_is_shut(const Pair *pair)
{
        char byte;

        return recv(pair->client, &byte, 1, MSG_DONTWAIT) == 0;
}

static void test_a_client_that_says_nothing_is_dropped(_unused_ void **state)
{
        Pair pair = pair_make(NEVER);

        assert_false(connection_look(pair.connection));
        assert_true(pair_is_shut(&pair));
        pair_done(&pair);
}

static void test_a_client_that_never_finishes_asking_is_dropped(_unused_ void **state)
{
        Pair pair = pair_make(NEVER);

        pair_send(&pair, 1000);
        assert_false(connection_look(pair.connection));
        pair_done(&pair);
}

static void test_an_answer_that_nobody_takes_is_given_up(_unused_ void **state)
{
        Pair pair = pair_make(NEVER);

        connection_asked(pair.connection);
        assert_false(connection_look(pair.connection));
        pair_done(&pair);
}

static void test_an_answer_that_moves_goes_on_until_it_stands_still(_unused_ void **state)
{
        Pair pair = pair_make(NEVER);

        connection_asked(pair.connection);
        for (unsigned i = 0; i < 5; i++) {
                pair_send(&pair, 1000);
                assert_true(connection_look(pair.connection));
        }
        assert_false(pair_is_shut(&pair));
        assert_false(connection_look(pair.connection));
        pair_done(&pair);
}

static void test_a_client_that_asks_again_and_again_is_kept(_unused_ void **state)
{
        Pair pair = pair_make(NEVER);

        for (unsigned i = 0; i < 5; i++) {
                connection_asked(pair.connection);
                connection_answered(pair.connection);
                pair_send(&pair, 1000);
                assert_true(connection_look(pair.connection));
        }
        pair_done(&pair);
}

static void test_the_timer_looks_by_itself(_unused_ void **state)
{
        Pair pair = pair_make(SOON);

        while (!pair_is_shut(&pair))
                assert_true(sd_event_run(pair.event, UINT64_MAX) >= 0);
        pair_done(&pair);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_client_that_says_nothing_is_dropped),
                cmocka_unit_test(test_a_client_that_never_finishes_asking_is_dropped),
                cmocka_unit_test(test_an_answer_that_nobody_takes_is_given_up),
                cmocka_unit_test(test_an_answer_that_moves_goes_on_until_it_stands_still),
                cmocka_unit_test(test_a_client_that_asks_again_and_again_is_kept),
                cmocka_unit_test(test_the_timer_looks_by_itself),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
