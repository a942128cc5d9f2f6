#include <stdio.h>
#include <strings.h>

#include "base/log.h"
#include "base/text.h"
#include "fetch.h"

struct Fetch {
        sd_event *event;
        sd_event_source *timer;
        Http *http;
        const UpdatePlan *plan;
        FetchSink sink;
        HttpRequest *request;
        size_t url;          /* index into plan->urls */
        uint64_t size;       /* of the whole payload; 0: not known yet */
        uint64_t offset;     /* bytes that the sink has taken since begin() */
        uint64_t started_at; /* offset of the request under way */
        uint64_t best;       /* the furthest that this URL has brought us */
        char *etag;          /* of the file whose bytes the sink has */
        bool head_checked;   /* of the answer under way */
        bool stale;          /* the answer is about another file: begin anew */
        uint64_t
                jump; /* the byte that the sink wants next, and does not expect yet; 0: the one at offset */
        bool jump_refused; /* this URL gives the whole file or nothing */
        unsigned n_tries, n_idle;
        usec_t delay;
        UpdateFailure failure; /* of the request under way, or the last one */
        FetchOnEnd on_end;
        void *userdata;
};

static int fetch_request(Fetch *fetch);

bool content_range_fits(const char *text, uint64_t offset, uint64_t size)
{
        _cleanup_free_ char *known = NULL, *unknown = NULL;

        if (!text
            || text_format(&known, "bytes %llu-%llu/%llu", (unsigned long long)offset,
                           (unsigned long long)size - 1, (unsigned long long)size)
                       < 0
            || text_format(&unknown, "bytes %llu-%llu/*", (unsigned long long)offset,
                           (unsigned long long)size - 1)
                       < 0)
                return false;

        return strcasecmp(text, known) == 0 || strcasecmp(text, unknown) == 0;
}

/* For messages; the caller frees it. May be NULL when memory is short. */
static char *fetch_url_for_log(const Fetch *fetch)
{
        char *url = NULL;

        return http_url_for_log(fetch->plan->urls.items[fetch->url], &url) < 0 ? NULL : url;
}

static int on_end_later(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Fetch *fetch = userdata;

        fetch->on_end(fetch->failure.code == UPDATE_ERROR_NONE ? 0 : -EIO, &fetch->failure,
                      fetch->userdata);
        return 0;
}

static void fetch_timer(Fetch *fetch, usec_t delay, sd_event_time_handler_t handler)
{
        int r;

        fetch->timer = sd_event_source_disable_unref(fetch->timer);
        r = sd_event_add_time_relative(fetch->event, &fetch->timer, CLOCK_BOOTTIME, delay, 0,
                                       handler, fetch);
        if (r < 0)
                (void)sd_event_exit(fetch->event, r); /* nothing would ever happen again */
}

static void fetch_end(Fetch *fetch)
{
        fetch_timer(fetch, 0, on_end_later);
}

static int on_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Fetch *fetch = userdata;
        int r = fetch_request(fetch);

        if (r < 0 && fetch->failure.code == UPDATE_ERROR_NONE)
                (void)update_failure_set(&fetch->failure, r, UPDATE_ERROR_GENERIC,
                                         "starting a request: %s", strerror(-r));
        if (r < 0)
                fetch_end(fetch);
        return 0;
}

/* The same URL again, after a while. */
static void fetch_again(Fetch *fetch, uint64_t retry_after)
{
        usec_t wish = MIN_OF(retry_after, (uint64_t)FETCH_RETRY_AFTER_MAX) * USEC_PER_SEC;

        fetch_timer(fetch, fetch->stale ? 0 : MAX_OF(fetch->delay, wish), on_retry);
        fetch->delay = MIN_OF(fetch->delay * 2, (usec_t)FETCH_DELAY_MAX);
}

static void fetch_judge(const Fetch *fetch, int verdict)
{
        if (fetch->sink.judge)
                fetch->sink.judge(fetch->url, verdict, fetch->sink.userdata);
}

/* Refusals of what came can be the fault of one mirror; everything else will be the same with another. */
static bool failure_is_of_content(const UpdateFailure *failure)
{
        return failure->code >= UPDATE_ERROR_PAYLOAD_FORMAT
               && failure->code <= UPDATE_ERROR_PAYLOAD_SIGNATURE;
}

/* The next URL from its first byte, or the end. */
static void fetch_next_url(Fetch *fetch)
{
        fetch_judge(fetch,
                    failure_is_of_content(&fetch->failure) ? RETRIES_REFUSED : RETRIES_FAILED);
        if (fetch->url + 1 >= fetch->plan->urls.n_items || fetch->n_tries >= FETCH_TRIES_MAX) {
                fetch_end(fetch);
                return;
        }

        log_warning("%s; trying the next address", update_failure_text(&fetch->failure));
        fetch->url++;
        fetch->offset = fetch->jump = 0;
        fetch->jump_refused = false;
        fetch->best = 0;
        fetch->n_idle = 0;
        fetch->delay = FETCH_DELAY_FIRST;
        fetch_timer(fetch, 0, on_retry);
}

static int fetch_fail(Fetch *fetch, int error, UpdateErrorCode code, const char *what)
{
        _cleanup_free_ char *url = fetch_url_for_log(fetch);

        return update_failure_set(&fetch->failure, error, code, "%s: %s", url ? url : "payload",
                                  what);
}

/* Nobody announced the size: the server has to say it before the first byte. */
static int fetch_learn_size(Fetch *fetch, int64_t length)
{
        if (length <= 0 || (uint64_t)length > FETCH_SIZE_MAX)
                return fetch_fail(fetch, -EBADMSG, UPDATE_ERROR_PAYLOAD_SIZE,
                                  "the server does not say how long the payload is, or it is "
                                  "longer than 64 GiB");
        fetch->size = (uint64_t)length;
        fetch->sink.announce(fetch->size, fetch->sink.userdata);
        return 0;
}

static int fetch_check_length(Fetch *fetch, const HttpResult *head)
{
        _cleanup_free_ char *what = NULL;

        if (fetch->size == 0)
                return fetch_learn_size(fetch, head->content_length);
        if (head->content_length < 0
            || (uint64_t)head->content_length == fetch->size - fetch->offset)
                return 0;
        if (text_format(&what, "the payload has %lld bytes there, and %llu were announced",
                        (long long)head->content_length + (long long)fetch->offset,
                        (unsigned long long)fetch->size)
            < 0)
                return -ENOMEM;
        return fetch_fail(fetch, -EBADMSG, UPDATE_ERROR_PAYLOAD_SIZE, what);
}

/* Is this answer what was asked for: the whole file, or the rest of the very file we have the beginning of? */
static int fetch_check_head(Fetch *fetch, const HttpResult *head)
{
        bool same = !head->etag || !fetch->etag || streq(head->etag, fetch->etag);

        if (fetch->offset == 0) {
                if (head->status != 200)
                        return fetch_fail(fetch, -EBADMSG, UPDATE_ERROR_TRANSFER,
                                          "an answer that is not the whole file");
                if (text_set(&fetch->etag, head->etag) < 0)
                        return -ENOMEM;
                return fetch_check_length(fetch, head);
        }
        if (head->status != 206 || !same
            || !content_range_fits(head->content_range, fetch->offset, fetch->size)) {
                fetch->stale = true;
                return -ESTALE;
        }

        return 0;
}

/* Another request can save what the sink does not want. */
static bool fetch_wants_to_jump(const Fetch *fetch)
{
        uint64_t wanted = fetch->sink.wanted ? fetch->sink.wanted(fetch->sink.userdata) : 0;

        return !fetch->jump_refused && wanted > fetch->offset + FETCH_JUMP_MIN
               && wanted < fetch->size;
}

/* The answer is the rest of the file whose beginning the sink has. */
static int fetch_take_jump(Fetch *fetch)
{
        int r = fetch->jump > 0 ? fetch->sink.jump(fetch->sink.userdata, &fetch->failure) : 0;

        fetch->jump = 0;
        return r;
}

static int on_data(const HttpResult *head, const void *data, size_t size, void *userdata)
{
        Fetch *fetch = userdata;
        int r;

        if (!fetch->head_checked) {
                r = fetch_check_head(fetch, head);
                if (r >= 0)
                        r = fetch_take_jump(fetch);
                if (r < 0)
                        return r;
                fetch->head_checked = true;
                fetch_judge(fetch, RETRIES_GOOD);
        }

        r = fetch->sink.push(data, size, fetch->sink.userdata, &fetch->failure);
        if (r < 0)
                return r;
        fetch->offset += size;
        if (!fetch_wants_to_jump(fetch))
                return 0;
        fetch->jump = fetch->sink.wanted(fetch->sink.userdata);
        return -ECANCELED;
}

/* Nothing is wrong: the rest is asked for from where it is wanted. */
static void fetch_jump(Fetch *fetch)
{
        fetch->offset = fetch->jump;
        fetch->n_tries--;
        fetch_timer(fetch, 0, on_retry);
}

/* The transfer broke, or the server is not well: again, if there is hope. */
static void fetch_broken(Fetch *fetch, const HttpResult *result)
{
        /* The same bytes again are no progress, and neither is one byte at a time. */
        bool progress = fetch->offset >= fetch->best + FETCH_PROGRESS_MIN;
        unsigned idle_max =
                MIN_OF(MAX_OF(fetch->plan->failures_per_url, 1U), (unsigned)FETCH_IDLE_MAX);

        fetch->best = MAX_OF(fetch->best, fetch->offset);
        if (fetch->stale) {
                fetch->jump_refused |= fetch->jump > 0;
                fetch->offset = fetch->jump = 0;
        }
        if (progress)
                fetch->delay = FETCH_DELAY_FIRST;
        fetch->n_idle = progress ? 0 : fetch->n_idle + 1;
        if (fetch->n_idle >= idle_max || fetch->n_tries >= FETCH_TRIES_MAX) {
                fetch_next_url(fetch);
                return;
        }

        log_info("%s; trying again", update_failure_text(&fetch->failure));
        fetch_again(fetch, result->retry_after);
}

static void fetch_complete(Fetch *fetch)
{
        int r = fetch->sink.finish(fetch->sink.userdata, &fetch->failure);

        fetch->stale = r == -ESTALE;
        if (fetch->stale)
                fetch_broken(fetch, &(HttpResult) {});
        else if (r < 0 && failure_is_of_content(&fetch->failure))
                fetch_next_url(fetch);
        else
                fetch_end(fetch);
}

static void fetch_judge_status(Fetch *fetch, const HttpResult *result)
{
        _cleanup_free_ char *what = NULL;
        bool busy = result->status >= 500 || result->status == 429 || result->status == 408;

        (void)text_format(&what, "HTTP status %ld", result->status);
        (void)fetch_fail(fetch, -EIO, UPDATE_ERROR_TRANSFER, what ? what : "HTTP error");
        if (busy)
                fetch_broken(fetch, result);
        else if (result->status == 416 && fetch->offset > 0) {
                fetch->stale = true;
                fetch_broken(fetch, result);
        } else
                fetch_next_url(fetch);
}

/* Curl itself refuses some answers to a range request before it hands us a byte. */
static bool answer_is_stale(const Fetch *fetch, const HttpResult *result)
{
        if (fetch->started_at == 0)
                return false;
        return result->status == 200 || result->error == -ERANGE
               || (result->status == 206
                   && !content_range_fits(result->content_range, fetch->started_at, fetch->size));
}

/* It will be refused again: a certificate, a redirect to where we do not go or in a circle, endless headers. */
static bool result_is_final(const HttpResult *result)
{
        return result->tls || result->error == -EPROTONOSUPPORT || result->error == -ELOOP
               || result->error == -EMSGSIZE;
}

static void on_done(const HttpResult *result, void *userdata)
{
        Fetch *fetch = userdata;

        fetch->request = NULL;
        if (fetch->jump > fetch->offset) {
                fetch_jump(fetch);
        } else if (fetch->failure.code != UPDATE_ERROR_NONE
                   && !failure_is_of_content(&fetch->failure)
                   && fetch->failure.code != UPDATE_ERROR_TRANSFER) {
                fetch_judge(fetch, RETRIES_FAILED);
                fetch_end(fetch); /* this host's own trouble */
        } else if (fetch->failure.code != UPDATE_ERROR_NONE) {
                fetch_next_url(fetch);
        } else if (result->error == -EFBIG) {
                (void)fetch_fail(fetch, -EBADMSG, UPDATE_ERROR_PAYLOAD_SIZE,
                                 "the payload is longer than announced");
                fetch_next_url(fetch);
        } else if (result->error == 0 && result->status >= 300) {
                fetch_judge_status(fetch, result);
        } else if (result->error == 0 && fetch->size > 0 && fetch->offset == fetch->size) {
                fetch_complete(fetch);
        } else {
                fetch->stale |= answer_is_stale(fetch, result);
                (void)fetch_fail(fetch, -EIO, UPDATE_ERROR_TRANSFER,
                                 fetch->stale         ? "the file changed, or can not be resumed"
                                 : result->error == 0 ? "the connection ended early"
                                                      : result->detail);
                if (result_is_final(result))
                        fetch_next_url(fetch);
                else
                        fetch_broken(fetch, result);
        }
}

static int fetch_request(Fetch *fetch)
{
        HttpParameters parameters = {
                .url = fetch->plan->urls.items[fetch->url],
                .range_from = fetch->offset,
                .on_data = on_data,
                .on_done = on_done,
                .userdata = fetch,
        };
        int r;

        if (fetch->offset == 0)
                fetch->size = fetch->plan->size;
        parameters.size_max = fetch->size > 0 ? fetch->size - fetch->offset : FETCH_SIZE_MAX;
        update_failure_done(&fetch->failure);
        fetch->head_checked = fetch->stale = false;
        fetch->started_at = fetch->offset;
        fetch->n_tries++;
        if (fetch->offset == 0) {
                r = fetch->sink.begin(fetch->sink.userdata, &fetch->failure);
                if (r < 0)
                        return r;
        }

        if (fetch->offset > 0 && fetch->jump == 0)
                fetch->sink.resume(fetch->offset, fetch->sink.userdata);
        r = transport_apply(&fetch->plan->transport, parameters.url, true, &parameters);
        if (r < 0)
                return r;
        return http_start(fetch->http, &parameters, &fetch->request);
}

int fetch_new(sd_event *event, Http *http, const UpdatePlan *plan, const FetchSink *sink,
              FetchOnEnd on_end, void *userdata, Fetch **ret)
{
        _cleanup_(fetch_free_p) Fetch *fetch = calloc(1, sizeof(Fetch));

        if (!fetch)
                return -ENOMEM;

        fetch->event = sd_event_ref(event);
        fetch->http = http;
        fetch->plan = plan;
        fetch->sink = *sink;
        fetch->delay = FETCH_DELAY_FIRST;
        fetch->on_end = on_end;
        fetch->userdata = userdata;
        fetch_timer(fetch, 0, on_retry);

        *ret = TAKE_PTR(fetch);
        return 0;
}

Fetch *fetch_free(Fetch *fetch)
{
        if (!fetch)
                return NULL;

        fetch->request = http_cancel(fetch->request);
        sd_event_source_disable_unref(fetch->timer);
        sd_event_unref(fetch->event);
        update_failure_done(&fetch->failure);
        free(fetch->etag);
        free(fetch);
        return NULL;
}
