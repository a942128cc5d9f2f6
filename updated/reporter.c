#include "reporter.h"
#include "base/log.h"
#include "base/text.h"
#include "event-queue.h"
#include "omaha-response.h"

struct Reporter {
        sd_event *event;
        sd_event_source *retry;
        Http *http;
        char *root;
        char *server;
        const Transport *transport;
        HttpRequest *request; /* the one that is under way */
        uint64_t number;      /* of its event */
        usec_t delay;         /* before the next try after a failure */
        ReporterOnSettled on_settled;
        void *userdata;
};

static int reporter_send(Reporter *reporter);

static void reporter_settle(Reporter *reporter, bool delivered)
{
        ReporterOnSettled on_settled = reporter->on_settled;

        reporter->on_settled = NULL;
        if (on_settled)
                on_settled(delivered, reporter->userdata);
}

static int on_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        int r = reporter_send(userdata);

        if (r < 0)
                (void)log_warning_errno(r, "sending events to the update server: %m");
        return 0;
}

static void reporter_retry_later(Reporter *reporter)
{
        int r;

        reporter->retry = sd_event_source_disable_unref(reporter->retry);
        r = sd_event_add_time_relative(reporter->event, &reporter->retry, CLOCK_BOOTTIME,
                                       reporter->delay, 0, on_retry, reporter);
        if (r < 0)
                (void)log_warning_errno(r, "setting a timer: %m"); /* the next event sends again */
        reporter->delay = MIN_OF(reporter->delay * 2, (usec_t)REPORTER_DELAY_MAX);
}

/* A request that was refused would be refused again: it must not hold up all others. */
static bool status_is_final(long status)
{
        return status == 400 || status == 413;
}

static void on_sent(const HttpResult *result, void *userdata)
{
        Reporter *reporter = userdata;
        bool accepted = result->error == 0 && result->status >= 200 && result->status < 300
                        && omaha_response_is_answer(result->body, result->body_size);
        int r;

        reporter->request = NULL;
        if (!accepted && !(result->error == 0 && status_is_final(result->status))) {
                log_debug("the update server did not take an event (status %ld), later again",
                          result->status);
                reporter_retry_later(reporter);
                reporter_settle(reporter, false);
                return;
        }
        if (!accepted)
                log_warning("the update server refuses an event with HTTP status %ld; it is given "
                            "up",
                            result->status);

        reporter->delay = REPORTER_DELAY_FIRST;
        r = event_queue_remove(reporter->root, reporter->number);
        if (r >= 0)
                r = reporter_send(reporter);
        if (r == 0)
                reporter_settle(reporter, true);
        if (r < 0) {
                (void)log_warning_errno(r, "going through the queue of events: %m");
                reporter_retry_later(reporter);
                reporter_settle(reporter, false);
        }
}

/* Sends the oldest event. Returns 1 when one is under way, 0 when there is none, or -errno. */
static int reporter_send(Reporter *reporter)
{
        static const char *const headers[] = { "Content-Type: text/xml", NULL };
        _cleanup_free_ char *request = NULL;
        HttpParameters parameters;
        int r;

        if (reporter->request)
                return 1;
        reporter->retry = sd_event_source_disable_unref(reporter->retry);
        if (!reporter->server)
                return 0;

        r = event_queue_first(reporter->root, &reporter->number, &request);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;

        parameters = (HttpParameters) {
                .url = reporter->server,
                .body = request,
                .body_size = strlen(request),
                .headers = headers,
                .size_max = OMAHA_ANSWER_MAX,
                .total_timeout = REPORTER_TIMEOUT,
                .on_done = on_sent,
                .userdata = reporter,
        };
        r = transport_apply(reporter->transport, reporter->server, false, &parameters);
        if (r < 0)
                return r;
        r = http_start(reporter->http, &parameters, &reporter->request);
        return r < 0 ? r : 1;
}

int reporter_new(sd_event *event, Http *http, const char *root, Reporter **ret)
{
        _cleanup_(reporter_free_p) Reporter *reporter = calloc(1, sizeof(Reporter));
        int r;

        if (!reporter)
                return -ENOMEM;

        reporter->event = sd_event_ref(event);
        reporter->http = http;
        reporter->delay = REPORTER_DELAY_FIRST;
        r = text_set(&reporter->root, root);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(reporter);
        return 0;
}

Reporter *reporter_free(Reporter *reporter)
{
        if (!reporter)
                return NULL;

        reporter->request = http_cancel(reporter->request);
        sd_event_source_disable_unref(reporter->retry);
        sd_event_unref(reporter->event);
        free(reporter->root);
        free(reporter->server);
        free(reporter);
        return NULL;
}

int reporter_set_server(Reporter *reporter, const char *server, const Transport *transport)
{
        reporter->transport = transport;
        return text_set(&reporter->server, server);
}

int reporter_add(Reporter *reporter, const char *request)
{
        int r;

        r = event_queue_add(reporter->root, request);
        if (r < 0)
                return r;

        r = reporter_send(reporter);
        return r < 0 ? r : 0;
}

int reporter_flush(Reporter *reporter, ReporterOnSettled on_settled, void *userdata)
{
        int r;

        r = reporter_send(reporter);
        if (r <= 0)
                return r;

        reporter->on_settled = on_settled;
        reporter->userdata = userdata;
        return 1;
}

void reporter_forget(Reporter *reporter)
{
        reporter->on_settled = NULL;
}
