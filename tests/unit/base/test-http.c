#include "base/buffer.h"
#include "base/http.h"
#include "base/text.h"
#include "unit/base/http-server.h"
#include "unit/unit.h"

#define BODY_MAX ((size_t)1000000)
#define DEADLINE (20 * USEC_PER_SEC)

/* A server, and the client under test. */
typedef struct Fixture {
        HttpServer server;
        sd_event *event;
        Http *http;
} Fixture;

/* One request and how it ended. */
typedef struct Exchange {
        Fixture *fixture;
        HttpRequest *request;
        Buffer data;       /* what on_data was given, or the collected body */
        int error;         /* of on_data: what it is to return */
        unsigned n_pieces; /* calls of on_data */
        unsigned n_done;   /* calls of on_done */
        HttpResult result; /* its pointers are void after on_done */
        char *etag, *range, *wanted, *detail;
        HttpRequest **victim; /* cancelled by the callback, if that is not NULL */
        bool victim_on_data;  /* by on_data, else by on_done */
} Exchange;

static void fixture_start(Fixture *fixture)
{
        *fixture = (Fixture) {};
        http_server_start(&fixture->server);
        assert_true(sd_event_new(&fixture->event) >= 0);
        assert_int_equal(http_new(fixture->event, &fixture->http), 0);
}

static void fixture_stop(Fixture *fixture)
{
        fixture->http = http_free(fixture->http);
        sd_event_unref(fixture->event);
        http_server_stop(&fixture->server);
}

static void exchange_done(Exchange *exchange)
{
        buffer_done(&exchange->data);
        free(exchange->etag);
        free(exchange->range);
        free(exchange->wanted);
        free(exchange->detail);
}

static void exchange_cancel_victim(Exchange *exchange)
{
        if (exchange->victim)
                *exchange->victim = http_cancel(*exchange->victim);
        exchange->victim = NULL;
}

static int on_data(const HttpResult *head, const void *data, size_t size, void *userdata)
{
        Exchange *exchange = userdata;

        exchange->n_pieces++;
        assert_true(head->status >= 200 && head->status < 300);
        assert_int_equal(buffer_append(&exchange->data, data, size), 0);
        if (exchange->victim_on_data)
                exchange_cancel_victim(exchange);
        return exchange->error;
}

static void on_done(const HttpResult *result, void *userdata)
{
        Exchange *exchange = userdata;

        exchange->n_done++;
        exchange->result = *result;
        if (result->body) {
                assert_int_equal(strlen(result->body), result->body_size);
                assert_int_equal(buffer_append(&exchange->data, result->body, result->body_size),
                                 0);
        }
        assert_int_equal(text_set(&exchange->etag, result->etag), 0);
        assert_int_equal(text_set(&exchange->range, result->content_range), 0);
        assert_int_equal(text_set(&exchange->wanted, result->wanted), 0);
        assert_int_equal(text_set(&exchange->detail, result->detail), 0);
        if (!exchange->victim_on_data)
                exchange_cancel_victim(exchange);
}

static char *url_make(const Fixture *fixture, const char *path)
{
        char *url;

        assert_true(text_format(&url, "http://127.0.0.1:%u%s", fixture->server.port, path) >= 0);
        return url;
}

/* Starts a request for path; what p leaves open is filled in. */
static void exchange_start(Fixture *fixture, Exchange *exchange, const char *path, HttpParameters p)
{
        _cleanup_free_ char *url = url_make(fixture, path);

        exchange->fixture = fixture;
        exchange->data = BUFFER_MAX(BODY_MAX);
        p.url = p.url ? p.url : url;
        p.size_max = p.size_max ? p.size_max : BODY_MAX;
        p.on_done = on_done;
        p.userdata = exchange;
        assert_int_equal(http_start(fixture->http, &p, &exchange->request), 0);
}

/* Runs the loop until so many of the exchanges are done. */
static void exchanges_run(Fixture *fixture, Exchange *exchanges, size_t n, unsigned wanted)
{
        usec_t begin = now_boottime();
        unsigned done;

        do {
                assert_true(now_boottime() - begin < DEADLINE);
                assert_true(sd_event_run(fixture->event, USEC_PER_SEC) >= 0);
                done = 0;
                for (size_t i = 0; i < n; i++)
                        done += exchanges[i].n_done;
        } while (done < wanted);
        assert_int_equal(done, wanted);
}

/* One request from begin to end. */
static void exchange_run(Fixture *fixture, Exchange *exchange, const char *path, HttpParameters p)
{
        exchange_start(fixture, exchange, path, p);
        exchanges_run(fixture, exchange, 1, 1);
}

static void test_requests_run_side_by_side_and_one_failure_hurts_no_other(_unused_ void **state)
{
        _cleanup_free_ char *refused = NULL;
        Exchange exchanges[8] = {};
        Fixture fixture;

        fixture_start(&fixture);
        close(silent_port_open(&refused));
        for (size_t i = 0; i < 6; i++)
                exchange_start(&fixture, &exchanges[i], "/body", (HttpParameters) {});
        exchange_start(&fixture, &exchanges[6], "/nowhere", (HttpParameters) {});
        exchange_start(&fixture, &exchanges[7], "", (HttpParameters) { .url = refused });
        exchanges_run(&fixture, exchanges, 8, 8);

        for (size_t i = 0; i < 6; i++) {
                assert_int_equal(exchanges[i].result.error, 0);
                assert_int_equal(exchanges[i].result.status, 200);
                assert_int_equal(exchanges[i].result.content_length, HTTP_SERVER_BODY_SIZE);
                assert_int_equal(exchanges[i].data.size, HTTP_SERVER_BODY_SIZE);
                assert_memory_equal(exchanges[i].data.data, fixture.server.body,
                                    HTTP_SERVER_BODY_SIZE);
                assert_string_equal(exchanges[i].etag, "\"final\"");
        }
        assert_int_equal(exchanges[6].result.error, 0);
        assert_int_equal(exchanges[6].result.status, 404);
        assert_int_equal(exchanges[6].data.size, 8);
        assert_int_equal(exchanges[7].result.error, -ECONNREFUSED);
        assert_int_equal(exchanges[7].result.status, 0);
        assert_false(exchanges[7].result.tls);
        assert_non_null(strstr(exchanges[7].detail, "127.0.0.1"));

        for (size_t i = 0; i < ELEMENTSOF(exchanges); i++)
                exchange_done(&exchanges[i]);
        fixture_stop(&fixture);
}

/* sd-event puts a timer off by up to 250 ms unless it is told not to: that would be 3 s here. */
static void test_a_request_does_not_wait_for_other_timers(_unused_ void **state)
{
        usec_t spent = 0;

        for (unsigned i = 0; i < 12; i++) {
                _cleanup_(exchange_done) Exchange exchange = {};
                Fixture fixture;
                usec_t begin;

                fixture_start(&fixture);
                begin = now_boottime();
                exchange_run(&fixture, &exchange, "/busy", (HttpParameters) {});
                spent += now_boottime() - begin;
                assert_int_equal(exchange.result.status, 503);
                assert_int_equal(exchange.result.retry_after, 120);
                fixture_stop(&fixture);
        }
        assert_true(spent < 3 * USEC_PER_SEC / 2);
}

static void test_an_answer_ends_at_its_maximum(_unused_ void **state)
{
        static const struct {
                size_t size_max;
                HttpOnData on_data;
                int error;
        } table[] = {
                { HTTP_SERVER_BODY_SIZE, NULL, 0 },
                { HTTP_SERVER_BODY_SIZE - 1, NULL, -EFBIG },
                { HTTP_SERVER_BODY_SIZE, on_data, 0 },
                { HTTP_SERVER_BODY_SIZE - 1, on_data, -EFBIG },
                { 1, on_data, -EFBIG },
        };
        Fixture fixture;

        fixture_start(&fixture);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(exchange_done) Exchange exchange = {};

                exchange_run(&fixture, &exchange, "/body",
                             (HttpParameters) { .size_max = table[i].size_max,
                                                .on_data = table[i].on_data });
                assert_int_equal(exchange.result.error, table[i].error);
                assert_true(exchange.data.size <= table[i].size_max);
                assert_int_equal(exchange.data.size == HTTP_SERVER_BODY_SIZE, table[i].error == 0);
        }
        fixture_stop(&fixture);
}

static void test_the_error_of_the_consumer_is_the_error_of_the_request(_unused_ void **state)
{
        _cleanup_(exchange_done) Exchange exchange = { .error = -ENOSPC };
        Fixture fixture;

        fixture_start(&fixture);
        exchange_run(&fixture, &exchange, "/body", (HttpParameters) { .on_data = on_data });
        assert_int_equal(exchange.result.error, -ENOSPC);
        assert_int_equal(exchange.n_pieces, 1);
        assert_string_equal(exchange.detail, strerror(ENOSPC));
        fixture_stop(&fixture);
}

static void test_an_error_page_is_not_given_to_the_consumer(_unused_ void **state)
{
        _cleanup_(exchange_done) Exchange exchange = {};
        Fixture fixture;

        fixture_start(&fixture);
        exchange_run(&fixture, &exchange, "/nowhere", (HttpParameters) { .on_data = on_data });
        assert_int_equal(exchange.result.error, 0);
        assert_int_equal(exchange.result.status, 404);
        assert_int_equal(exchange.n_pieces, 0);
        fixture_stop(&fixture);
}

static void test_an_answer_that_stops_short_is_an_error(_unused_ void **state)
{
        _cleanup_(exchange_done) Exchange exchange = {};
        Fixture fixture;

        fixture_start(&fixture);
        exchange_run(&fixture, &exchange, "/cut", (HttpParameters) { .on_data = on_data });
        assert_int_equal(exchange.result.error, -ECONNRESET);
        assert_int_equal(exchange.data.size, 10);
        fixture_stop(&fixture);
}

static void test_five_redirects_are_followed_and_not_one_more(_unused_ void **state)
{
        static const struct {
                const char *path;
                bool no_redirects;
                int error;
                long status;
        } table[] = {
                { "/hop/4", false, 0, 200 },
                { "/hop/5", false, -ELOOP, 302 },
                { "/loop", false, -ELOOP, 302 },
                { "/loop", true, 0, 302 },
                { "/ftp", false, -EPROTONOSUPPORT, 302 },
                { "/file", false, -EPROTONOSUPPORT, 302 },
        };
        Fixture fixture;

        fixture_start(&fixture);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(exchange_done) Exchange exchange = {};

                exchange_run(&fixture, &exchange, table[i].path,
                             (HttpParameters) { .no_redirects = table[i].no_redirects });
                assert_int_equal(exchange.result.error, table[i].error);
                assert_int_equal(exchange.result.status, table[i].status);
        }
        fixture_stop(&fixture);
}

static void test_headers_are_those_of_the_last_answer(_unused_ void **state)
{
        _cleanup_(exchange_done) Exchange body = {};
        Fixture fixture;

        fixture_start(&fixture);
        exchange_run(&fixture, &body, "/hop/0", (HttpParameters) {});
        assert_int_equal(body.data.size, HTTP_SERVER_BODY_SIZE);
        assert_string_equal(body.etag, "\"final\"");
        assert_null(body.range); /* /body sent none, only the redirect did */
        fixture_stop(&fixture);
}

static void test_a_range_begins_where_it_was_asked_to(_unused_ void **state)
{
        _cleanup_(exchange_done) Exchange exchange = {};
        Fixture fixture;

        fixture_start(&fixture);
        exchange_run(&fixture, &exchange, "/body",
                     (HttpParameters) { .range_from = 199990, .on_data = on_data });
        assert_int_equal(exchange.result.error, 0);
        assert_int_equal(exchange.result.status, 206);
        assert_string_equal(exchange.range, "bytes 199990-199999/200000");
        assert_int_equal(exchange.data.size, 10);
        assert_memory_equal(exchange.data.data, fixture.server.body + 199990, 10);
        fixture_stop(&fixture);
}

static void test_a_server_that_ignores_the_range_is_not_believed(_unused_ void **state)
{
        _cleanup_(exchange_done) Exchange exchange = {};
        Fixture fixture;

        fixture_start(&fixture);
        exchange_run(&fixture, &exchange, "/no-ranges",
                     (HttpParameters) { .range_from = 5, .on_data = on_data });
        assert_int_equal(exchange.result.error, -ERANGE);
        assert_int_equal(exchange.result.status, 200);
        assert_int_equal(exchange.n_pieces, 0);
        fixture_stop(&fixture);
}

static void test_a_body_is_posted_with_its_headers(_unused_ void **state)
{
        static const char *const headers[] = { "Content-Type: text/xml", "X-Tag: one", NULL };
        _cleanup_(exchange_done) Exchange exchange = {};
        Fixture fixture;

        fixture_start(&fixture);
        exchange_run(&fixture, &exchange, "/post",
                     (HttpParameters) { .body = "<a>b</a>!", .body_size = 8, .headers = headers });
        assert_int_equal(exchange.result.status, 200);
        assert_int_equal(exchange.data.size, 8);
        assert_memory_equal(exchange.data.data, "<a>b</a>", 8);
        fixture_stop(&fixture);
}

static void test_other_methods_keep_body_and_method_through_redirects(_unused_ void **state)
{
        static const char *const paths[] = { "/put", "/hop/1" };
        Fixture fixture;

        fixture_start(&fixture);
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                _cleanup_(exchange_done) Exchange exchange = {};

                exchange_run(&fixture, &exchange, paths[i],
                             (HttpParameters) { .method = "PUT",
                                                .body = "value=x",
                                                .body_size = 7,
                                                .wanted_header = "x-method" });
                assert_int_equal(exchange.result.status, 200);
                assert_int_equal(exchange.data.size, 7);
                assert_memory_equal(exchange.data.data, "value=x", 7);
                assert_string_equal(exchange.wanted, "PUT");
        }
        fixture_stop(&fixture);
}

static void test_a_flood_of_headers_is_cut_off(_unused_ void **state)
{
        _cleanup_(exchange_done) Exchange exchange = {};
        Fixture fixture;

        fixture_start(&fixture);
        exchange_run(&fixture, &exchange, "/flood", (HttpParameters) {});
        assert_int_equal(exchange.result.error, -EMSGSIZE);
        fixture_stop(&fixture);
}

static void test_a_server_that_never_answers_runs_into_the_time_limit(_unused_ void **state)
{
        _cleanup_(exchange_done) Exchange exchange = {};
        _cleanup_free_ char *url = NULL;
        _cleanup_close_ _unused_ int fd = silent_port_open(&url);
        Fixture fixture;

        fixture_start(&fixture);
        exchange_run(&fixture, &exchange, "",
                     (HttpParameters) { .url = url, .total_timeout = 100 * USEC_PER_MSEC });
        assert_int_equal(exchange.result.error, -ETIMEDOUT);
        fixture_stop(&fixture);
}

static void test_a_callback_may_cancel_another_request(_unused_ void **state)
{
        for (int on = 0; on < 2; on++) {
                _cleanup_(exchange_done) Exchange first = { .victim_on_data = on }, second = {},
                                                  third = {};
                _cleanup_free_ char *url = NULL;
                _cleanup_close_ _unused_ int fd = silent_port_open(&url);
                Fixture fixture;

                fixture_start(&fixture);
                exchange_start(&fixture, &second, "", (HttpParameters) { .url = url });
                first.victim = &second.request;
                exchange_run(&fixture, &first, "/body", (HttpParameters) { .on_data = on_data });
                assert_int_equal(first.result.error, 0);
                assert_int_equal(first.data.size, HTTP_SERVER_BODY_SIZE);
                assert_null(second.request);

                exchange_run(&fixture, &third, "/body", (HttpParameters) {});
                assert_int_equal(third.data.size, HTTP_SERVER_BODY_SIZE);
                assert_int_equal(second.n_done, 0);
                fixture_stop(&fixture);
        }
}

static void test_a_consumer_may_cancel_its_own_request(_unused_ void **state)
{
        _cleanup_(exchange_done) Exchange first = { .victim_on_data = true }, second = {};
        Fixture fixture;

        fixture_start(&fixture);
        first.victim = &first.request;
        exchange_start(&fixture, &first, "/body", (HttpParameters) { .on_data = on_data });
        exchange_run(&fixture, &second, "/body", (HttpParameters) {});
        while (first.request)
                assert_true(sd_event_run(fixture.event, USEC_PER_SEC) >= 0);
        assert_int_equal(first.n_pieces, 1);
        assert_int_equal(first.n_done, 0);
        fixture_stop(&fixture);
}

static void test_cancelling_what_is_being_reported_does_nothing(_unused_ void **state)
{
        _cleanup_(exchange_done) Exchange exchange = {};
        Fixture fixture;

        fixture_start(&fixture);
        exchange.victim = &exchange.request;
        exchange_run(&fixture, &exchange, "/body", (HttpParameters) {});
        assert_int_equal(exchange.data.size, HTTP_SERVER_BODY_SIZE);
        fixture_stop(&fixture);
}

static void test_the_client_can_go_while_requests_are_under_way(_unused_ void **state)
{
        _cleanup_(exchange_done) Exchange running = {}, silent = {}, fresh = {};
        _cleanup_free_ char *url = NULL;
        _cleanup_close_ _unused_ int fd = silent_port_open(&url);
        Fixture fixture;

        fixture_start(&fixture);
        exchange_start(&fixture, &silent, "", (HttpParameters) { .url = url });
        exchange_start(&fixture, &running, "/body", (HttpParameters) { .on_data = on_data });
        while (running.n_pieces == 0)
                assert_true(sd_event_run(fixture.event, USEC_PER_SEC) >= 0);
        exchange_start(&fixture, &fresh, "/body", (HttpParameters) {});
        fixture_stop(&fixture);
        assert_int_equal(silent.n_done + fresh.n_done, 0);
}

static void on_done_free(_unused_ const HttpResult *result, void *userdata)
{
        Fixture *fixture = userdata;

        fixture->http = http_free(fixture->http);
}

static void test_the_client_can_go_from_inside_the_last_callback(_unused_ void **state)
{
        _cleanup_free_ char *url = NULL;
        Fixture fixture;

        fixture_start(&fixture);
        url = url_make(&fixture, "/body");
        assert_int_equal(http_start(fixture.http,
                                    &(HttpParameters) { .url = url,
                                                        .size_max = BODY_MAX,
                                                        .on_done = on_done_free,
                                                        .userdata = &fixture },
                                    NULL),
                         0);
        while (fixture.http)
                assert_true(sd_event_run(fixture.event, USEC_PER_SEC) >= 0);
        fixture_stop(&fixture);
}

static void test_urls_are_http_with_a_host(_unused_ void **state)
{
        static const char *const good[] = { "http://a",
                                            "https://a.example/x?y=z",
                                            "HTTP://A:80/",
                                            "http://[::1]:8080/v1/update/",
                                            "https://user:secret@host/",
                                            "http://127.0.0.1" };
        static const char *const bad[] = { "",
                                           "a",
                                           "/v1/update",
                                           "//host/x",
                                           "disabled",
                                           "ftp://host/",
                                           "file:///etc/passwd",
                                           "http://",
                                           "http://a:99999/",
                                           "http://a b/",
                                           "http://[::1",
                                           "http://a\n/",
                                           "unix:///run/x",
                                           "javascript:alert(1)" };

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                if (!http_url_is_valid(good[i]))
                        fail_msg("refused: %s", good[i]);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (http_url_is_valid(bad[i]))
                        fail_msg("accepted: %s", bad[i]);
}

static void test_logs_show_no_credentials(_unused_ void **state)
{
        static const struct {
                const char *url, *shown;
        } table[] = {
                { "https://host/a", "https://host/a" },
                { "https://user:secret@host:8443/a", "https://host:8443/a" },
                { "https://host/a?token=secret", "https://host/a" },
                { "https://user@host/a?secret#part", "https://host/a" },
                { "https://host/a#secret", "https://host/a" },
                { "not a URL: secret", "(no valid URL)" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *shown = NULL;

                assert_int_equal(http_url_for_log(table[i].url, &shown), 0);
                assert_string_equal(shown, table[i].shown);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_requests_run_side_by_side_and_one_failure_hurts_no_other),
                cmocka_unit_test(test_a_request_does_not_wait_for_other_timers),
                cmocka_unit_test(test_an_answer_ends_at_its_maximum),
                cmocka_unit_test(test_the_error_of_the_consumer_is_the_error_of_the_request),
                cmocka_unit_test(test_an_error_page_is_not_given_to_the_consumer),
                cmocka_unit_test(test_an_answer_that_stops_short_is_an_error),
                cmocka_unit_test(test_five_redirects_are_followed_and_not_one_more),
                cmocka_unit_test(test_headers_are_those_of_the_last_answer),
                cmocka_unit_test(test_a_range_begins_where_it_was_asked_to),
                cmocka_unit_test(test_a_server_that_ignores_the_range_is_not_believed),
                cmocka_unit_test(test_a_body_is_posted_with_its_headers),
                cmocka_unit_test(test_other_methods_keep_body_and_method_through_redirects),
                cmocka_unit_test(test_a_flood_of_headers_is_cut_off),
                cmocka_unit_test(test_a_server_that_never_answers_runs_into_the_time_limit),
                cmocka_unit_test(test_a_callback_may_cancel_another_request),
                cmocka_unit_test(test_a_consumer_may_cancel_its_own_request),
                cmocka_unit_test(test_cancelling_what_is_being_reported_does_nothing),
                cmocka_unit_test(test_the_client_can_go_while_requests_are_under_way),
                cmocka_unit_test(test_the_client_can_go_from_inside_the_last_callback),
                cmocka_unit_test(test_urls_are_http_with_a_host),
                cmocka_unit_test(test_logs_show_no_credentials),
        };

        /* Everything is on loopback: a proxy of the machine must not come between. */
        (void)setenv("no_proxy", "*", 1);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
