#include <fcntl.h>

#include "attempt-stages.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"

#define VERSION_NONE "0.0.0.0" /* what a new installation says it was before */

static void on_flushed(bool delivered, void *userdata)
{
        Attempt *attempt = userdata;

        attempt->events_pending = !delivered;
        attempt_stage_done(attempt, 1);
}

int attempt_flush_events(Attempt *attempt)
{
        int r = reporter_flush(attempt->context.reporter, on_flushed, attempt);

        if (r < 0)
                (void)log_warning_errno(
                        r, "reading the queue of events: %m"); /* no reason not to update */
        return r <= 0 ? 1 : 0;
}

static uint32_t attempt_error_number(const Attempt *attempt, const UpdateFailure *failure)
{
        uint32_t number = omaha_error_number(failure);
        int fd = root_open(attempt->context.root, HOST_TEST_IMAGE, O_PATH, 0);

        if (fd >= 0)
                number |= OMAHA_ERROR_FLAG_TEST;
        (void)close_fd(fd);
        if (attempt->continued > 0)
                number |= OMAHA_ERROR_FLAG_RESUMED;
        if (config_server_is_private(attempt->context.config))
                number |= OMAHA_ERROR_FLAG_SERVER;
        return number;
}

static int attempt_build(const Attempt *attempt, bool check, const OmahaEvent *event, char **ret)
{
        const State *state = attempt->context.state;
        const OmahaRequest request = {
                .host = attempt->context.host,
                .config = attempt->context.config,
                .aleph_version = state->aleph_version ? state->aleph_version : "",
                .on_demand = attempt->kind == ATTEMPT_ON_DEMAND,
                .ping = check || attempt->kind == ATTEMPT_PING,
                .check = check,
                .event = event,
        };

        return omaha_request_build(&request, ret);
}

/* Of an attempt that the server knows of. */
static void attempt_queue(Attempt *attempt, const OmahaEvent *event)
{
        _cleanup_free_ char *request = NULL;
        bool offered = attempt->kind != ATTEMPT_PING && attempt->kind != ATTEMPT_INSTALL;
        int r;

        if (!offered)
                return;
        r = attempt_build(attempt, false, event, &request);
        if (r >= 0)
                r = reporter_add(attempt->context.reporter, request);
        if (r < 0)
                (void)log_warning_errno(r, "queueing an event for the update server: %m");
}

void attempt_report(Attempt *attempt, OmahaEventType type, OmahaEventResult result)
{
        attempt_queue(attempt, &(OmahaEvent) { .type = type, .result = result });
}

void attempt_report_failure(Attempt *attempt, OmahaEventResult result, const UpdateFailure *failure)
{
        attempt_queue(attempt, &(OmahaEvent) {
                                       .type = OMAHA_EVENT_UPDATE_COMPLETE,
                                       .result = result,
                                       .error = attempt_error_number(attempt, failure),
                               });
}

/*
 * The event that every update check carries: what ran before, as long as the server did not acknowledge it.
 * It must not overtake the events of the update itself, which may still be in the queue.
 */
static OmahaEvent attempt_previous_event(Attempt *attempt)
{
        const char *previous = attempt->context.state->previous_version;
        OmahaEvent event = {
                .type = OMAHA_EVENT_UPDATE_COMPLETE,
                .result = OMAHA_RESULT_SUCCESS_REBOOT,
                .previous_version = "",
        };

        attempt->told_previous = !attempt->events_pending && (!previous || *previous);
        if (!attempt->told_previous)
                return event;

        event.previous_version = previous ? previous : VERSION_NONE;
        if (streq_null(previous, attempt->context.host->version)) {
                event.result = OMAHA_RESULT_ERROR;
                event.error =
                        omaha_error_number(&(UpdateFailure) { .code = UPDATE_ERROR_ROLLED_BACK });
        }
        return event;
}

static int attempt_send(Attempt *attempt);

static int on_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        int r = attempt_send(userdata);

        if (r < 0)
                attempt_stage_done(userdata, r);
        return 0;
}

/* Nobody answered: returns 1 when it is tried again, else 0. */
static int attempt_ask_again(Attempt *attempt)
{
        unsigned max =
                attempt->kind == ATTEMPT_SCHEDULED ? ATTEMPT_RETRIES : ATTEMPT_RETRIES_DEMAND;
        usec_t delay = MIN_OF((usec_t)ATTEMPT_RETRY_DELAY, attempt->context.config->check_interval);

        if (attempt->n_retries++ >= max)
                return 0;

        attempt->timer = sd_event_source_disable_unref(attempt->timer);
        return sd_event_add_time_relative(attempt->context.event, &attempt->timer, CLOCK_BOOTTIME,
                                          delay, 0, on_retry, attempt)
               >= 0;
}

/* The server has it: from now on it need not be told again. */
static void attempt_previous_told(Attempt *attempt)
{
        State *state = attempt->context.state;
        int r;

        if (!attempt->told_previous)
                return;
        r = text_set(&state->previous_version, "");
        if (r >= 0)
                r = state_write(attempt->context.root, state);
        if (r < 0)
                (void)log_warning_errno(r, "%s can not be written: %m", STATE_PATH);
}

static int attempt_take_answer(Attempt *attempt, const HttpResult *result)
{
        int r;

        if (attempt->kind == ATTEMPT_PING)
                return 1;

        r = omaha_response_parse(result->body, result->body_size, attempt->context.host->app_id,
                                 &attempt->response, &attempt->failure);
        if (r < 0)
                return r;
        attempt_previous_told(attempt);
        attempt->answered = true;
        attempt->poll_interval = attempt->response.poll_interval;
        return 1;
}

/* The URL without credentials, because everybody may read the failure. */
static int attempt_fail_server(Attempt *attempt, int error, UpdateErrorCode code, const char *what)
{
        _cleanup_free_ char *url = NULL;

        if (http_url_for_log(attempt->context.config->server, &url) < 0)
                url = NULL;
        return update_failure_set(&attempt->failure, error, code, "the update server %s %s",
                                  url ? url : "", what);
}

/* No answer, or none that may be read: says why. */
static int attempt_refuse_answer(Attempt *attempt, const HttpResult *result)
{
        _cleanup_free_ char *what = NULL;
        int r;

        if (result->error == -EFBIG)
                return attempt_fail_server(attempt, result->error, UPDATE_ERROR_ANSWER_XML,
                                           "gives an endless answer");
        if (result->error < 0) {
                r = text_format(&what, "gives no answer: %s", result->detail);
                return attempt_fail_server(attempt, result->error, UPDATE_ERROR_NO_ANSWER,
                                           r < 0 ? "gives no answer" : what);
        }

        r = text_format(&what, "answers with HTTP status %ld", result->status);
        attempt->server_busy =
                result->status == 500 || result->status == 503 || result->status == 429;
        attempt->retry_after = attempt->server_busy ? result->retry_after : 0;
        r = attempt_fail_server(attempt, -EIO, UPDATE_ERROR_HTTP_STATUS,
                                r < 0 ? "answers with an HTTP error" : what);
        attempt->failure.http_status = (unsigned)result->status;
        return r;
}

static void on_answer(const HttpResult *result, void *userdata)
{
        Attempt *attempt = userdata;
        bool answered = result->error == 0 && result->status >= 200 && result->status <= 299;

        attempt->request = NULL;
        /* a certificate that is refused now is refused in ten seconds as well */
        if (result->error < 0 && result->status == 0 && !result->tls && attempt_ask_again(attempt))
                return;

        attempt_stage_done(attempt, answered ? attempt_take_answer(attempt, result)
                                             : attempt_refuse_answer(attempt, result));
}

static int attempt_send(Attempt *attempt)
{
        static const char *const headers[] = { "Content-Type: text/xml", NULL };
        const Transport *transport = &attempt->context.config->transport;
        bool check = attempt->kind != ATTEMPT_PING;
        OmahaEvent event = {};
        _cleanup_free_ char *body = NULL;
        HttpParameters parameters;
        int r;

        if (check)
                event = attempt_previous_event(attempt);
        r = attempt_build(attempt, check, check ? &event : NULL, &body);
        if (r < 0)
                return r;

        parameters = (HttpParameters) {
                .url = attempt->context.config->server,
                .body = body,
                .body_size = strlen(body),
                .headers = headers,
                .size_max = OMAHA_ANSWER_MAX,
                .total_timeout = ATTEMPT_REQUEST_TIMEOUT,
                .on_done = on_answer,
                .userdata = attempt,
        };
        r = transport_apply(transport, parameters.url, false, &parameters);
        if (r < 0)
                return update_failure_set(&attempt->failure, r, UPDATE_ERROR_SETTINGS, "%s",
                                          transport->broken);
        return http_start(attempt->context.http, &parameters, &attempt->request);
}

int attempt_ask(Attempt *attempt)
{
        if (!attempt->context.config->server) {
                int r = text_set(&attempt->reason, "updates are switched off by SERVER=disabled");

                return r < 0 ? r : 1;
        }

        return attempt_send(attempt);
}
