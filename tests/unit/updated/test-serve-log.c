#include <fcntl.h>

#include "base/io.h"
#include "serve-log.h"
#include "unit/unit.h"

#define NOON ((UINT64_C(1767268800)) * USEC_PER_SEC) /* 2026-01-01 12:00 UTC */

static RequestApp app_make(void)
{
        return (RequestApp) {
                .appid = (char *)"{x}",
                .version = (char *)"1.0",
                .track = (char *)"stable",
                .board = (char *)"",
                .machine_id = (char *)"01\x1b[2J\xc2\x9b",
                .ping = true,
        };
}

static void append(const char *directory, RequestApp *app, Answer answer)
{
        Request request = { .apps = app, .n_apps = 1 };

        assert_int_equal(client_log_append(directory, &request, &answer, NOON), 0);
}

/* The first line of the log as people see it. */
static char *first_line(const char *directory)
{
        _cleanup_free_ char *text = NULL;
        char *line;

        assert_int_equal(file_read(directory, CLIENT_LOG_FILE, 65536, &text, NULL), 0);
        line = client_log_describe(text, strcspn(text, "\n"));
        assert_non_null(line);
        return line;
}

static void test_a_check_is_logged_with_what_was_answered(_unused_ void **state)
{
        static const CataloguePayload payload = { .version = "1.1" };
        static const struct {
                Answer answer;
                const char *shown;
        } table[] = {
                { { "ok", "ok", &payload, true }, "check: offered 1.1" },
                { { "ok", "noupdate", NULL, true }, "check: nothing newer" },
                { { "error-unknownApplication", NULL, NULL, false },
                  "check: error-unknownApplication" },
                { { "error-unknownApplicationOrGroup", "error-internal", NULL, true },
                  "check: error-unknownApplicationOrGroup" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                char *directory = directory_make();
                RequestApp app = app_make();
                _cleanup_free_ char *line = NULL;

                app.update_check = true;
                append(directory, &app, table[i].answer);
                line = first_line(directory);
                assert_non_null(strstr(line, table[i].shown));
                assert_non_null(strstr(line, "2026-01-01T12:00:00Z  01?[2J?"));
                for (const char *p = line; *p; p++)
                        assert_in_range(*p, ' ', '~');
        }
}

static void test_an_event_is_told_in_words(_unused_ void **state)
{
        static const struct {
                RequestEvent event;
                const char *shown;
        } table[] = {
                { { 3, 2, 0, (char *)"0.9" }, "running, updated from 0.9 (3/2)" },
                { { 3, 2, 0, (char *)"0.0.0.0" }, "running (3/2)" },
                { { 3, 2, 0, (char *)"" }, "running (3/2)" },
                { { 3, 1, 0, (char *)"" }, "update installed, reboot needed (3/1)" },
                { { 3, 0, -7, (char *)"" }, "update failed (3/0), error -7" },
                { { 13, 1, 0, (char *)"" }, "download started (13/1)" },
                { { 4711, 5, 0, (char *)"" }, "event (4711/5)" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                char *directory = directory_make();
                RequestApp app = app_make();
                _cleanup_free_ char *line = NULL;

                app.ping = false;
                app.events[0] = table[i].event;
                app.n_events = 1;
                append(directory, &app, (Answer) { .app_status = "ok", .known = true });
                line = first_line(directory);
                assert_non_null(strstr(line, table[i].shown));
        }
}

static void test_a_full_log_is_put_aside_once(_unused_ void **state)
{
        char *directory = directory_make();
        RequestApp app = app_make();
        Answer answer = { .app_status = "ok", .known = true };
        _cleanup_free_ char *line = NULL;
        _cleanup_close_ int fd = root_open(directory, CLIENT_LOG_FILE, O_WRONLY | O_CREAT, 0644);

        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, (off_t)CLIENT_LOG_SIZE_MAX), 0);
        append(directory, &app, answer);
        append(directory, &app, answer);
        line = first_line(directory);
        assert_non_null(strstr(line, "still there"));
        fd = close_fd(fd);
        fd = root_open(directory, CLIENT_LOG_FILE ".1", O_RDONLY, 0);
        assert_true(fd >= 0);
}

static void test_a_line_of_somebody_else_is_passed_over(_unused_ void **state)
{
        static const char song[] = "{\"time\":\"t\",\"machine\":\"m\",\"channel\":\"c\","
                                   "\"version\":\"v\",\"what\":\"song\"}";
        static const char *const lines[] = { "", "{", "[]", "{\"time\":1}", "null", song };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++)
                assert_null(client_log_describe(lines[i], strlen(lines[i])));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_check_is_logged_with_what_was_answered),
                cmocka_unit_test(test_an_event_is_told_in_words),
                cmocka_unit_test(test_a_full_log_is_put_aside_once),
                cmocka_unit_test(test_a_line_of_somebody_else_is_passed_over),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
