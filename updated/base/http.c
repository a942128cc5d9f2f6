#include <curl/curl.h>
#include <strings.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "base/http-options.h"
#include "base/text.h"

/* curl begins every request with a timer of 0 ms; sd-event's own default would add up to 250 ms to each. */
#define HTTP_TIMER_ACCURACY (1 * USEC_PER_MSEC)

struct HttpRequest {
        Http *http;
        CURL *easy;
        struct curl_slist *headers;
        Buffer body;
        Buffer header_bytes;
        size_t size_max;
        size_t received;
        HttpResult result;
        char *etag, *content_range, *content_type, *wanted, *wanted_header;
        char detail[CURL_ERROR_SIZE];
        HttpOnData on_data;
        HttpOnDone on_done;
        void *userdata;
        bool cancelled; /* from inside curl: the reaper frees it */
        LIST_ENTRY(HttpRequest) entries;
};

struct Http {
        sd_event *event;
        sd_event_source *timer;  /* when curl wants to be called again */
        sd_event_source *reaper; /* collects finished transfers outside of curl's callbacks */
        CURLM *multi;
        bool in_curl; /* curl is calling us: it must not be called now */
        LIST_HEAD(, HttpRequest) requests;
};

static void http_reap_later(Http *http)
{
        (void)sd_event_source_set_enabled(http->reaper,
                                          SD_EVENT_ONESHOT); /* can only fail for a freed source */
}

static int http_act(Http *http, curl_socket_t socket, int what)
{
        CURLMcode code;
        int running;

        http->in_curl = true;
        code = curl_multi_socket_action(http->multi, socket, what, &running);
        http->in_curl = false;
        if (code != CURLM_OK)
                return -EIO;

        http_reap_later(http);
        return 0;
}

static int on_socket_ready(_unused_ sd_event_source *source, int fd, uint32_t revents,
                           void *userdata)
{
        int what = 0;

        if (revents & (EPOLLIN | EPOLLHUP))
                what |= CURL_CSELECT_IN;
        if (revents & EPOLLOUT)
                what |= CURL_CSELECT_OUT;
        if (revents & EPOLLERR)
                what |= CURL_CSELECT_ERR;

        return http_act(userdata, fd, what);
}

static int on_timer(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        return http_act(userdata, CURL_SOCKET_TIMEOUT, 0);
}

/* curl tells which sockets it wants watched; the event source is kept as curl's own note on the socket. */
static int on_curl_socket(_unused_ CURL *easy, curl_socket_t fd, int what, void *userdata,
                          void *noted)
{
        Http *http = userdata;
        sd_event_source *source = noted;
        uint32_t events = 0;
        int r;

        if (what == CURL_POLL_REMOVE) {
                (void)curl_multi_assign(http->multi, fd, NULL); /* curl forgets the socket anyway */
                sd_event_source_disable_unref(source);
                return 0;
        }

        if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
                events |= EPOLLIN;
        if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
                events |= EPOLLOUT;
        if (source)
                return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;

        r = sd_event_add_io(http->event, &source, fd, events, on_socket_ready, http);
        if (r < 0)
                return -1;
        (void)sd_event_source_set_description(source, "http-socket"); /* for debugging only */
        if (curl_multi_assign(http->multi, fd, source) != CURLM_OK) {
                sd_event_source_disable_unref(source);
                return -1;
        }

        return 0;
}

/* Arms the timer only: curl must not be called from inside its own callback. */
static int on_curl_timer(_unused_ CURLM *multi, long timeout_ms, void *userdata)
{
        Http *http = userdata;
        uint64_t now;

        if (timeout_ms < 0)
                return sd_event_source_set_enabled(http->timer, SD_EVENT_OFF) < 0 ? -1 : 0;

        if (sd_event_now(http->event, CLOCK_MONOTONIC, &now) < 0
            || sd_event_source_set_time(http->timer, now + (usec_t)timeout_ms * USEC_PER_MSEC) < 0
            || sd_event_source_set_enabled(http->timer, SD_EVENT_ONESHOT) < 0)
                return -1;
        return 0;
}

static HttpRequest *request_free(HttpRequest *request)
{
        if (!request)
                return NULL;

        if (request->http) {
                if (request->easy)
                        (void)curl_multi_remove_handle(request->http->multi, request->easy);
                LIST_REMOVE(request, entries);
        }
        curl_easy_cleanup(request->easy);
        curl_slist_free_all(request->headers);
        buffer_done(&request->body);
        buffer_done(&request->header_bytes);
        free(request->etag);
        free(request->content_range);
        free(request->content_type);
        free(request->wanted);
        free(request->wanted_header);
        free(request);
        return NULL;
}
DEFINE_CLEANUP(HttpRequest *, request_free);

HttpRequest *http_cancel(HttpRequest *request)
{
        if (!request || !request->http)
                return NULL; /* its on_done() is running, and it goes after that */
        if (!request->http->in_curl)
                return request_free(request);

        request->cancelled = true;
        http_reap_later(request->http);
        return NULL;
}

static void request_fill_result(HttpRequest *request)
{
        HttpResult *result = &request->result;
        curl_off_t length = -1, retry_after = 0;

        (void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &result->status);
        (void)curl_easy_getinfo(request->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        (void)curl_easy_getinfo(request->easy, CURLINFO_RETRY_AFTER, &retry_after);
        result->content_length = length;
        result->retry_after = retry_after > 0 ? (uint64_t)retry_after : 0;
        result->etag = request->etag;
        result->content_range = request->content_range;
        result->content_type = request->content_type;
        result->wanted = request->wanted;
        result->detail = request->detail;
}

static size_t on_curl_body(char *data, size_t size, size_t n, void *userdata)
{
        HttpRequest *request = userdata;
        int r;

        if (request->cancelled)
                return 0;
        size *= n; /* curl: size is always 1 */
        request_fill_result(request);
        if (size > request->size_max - request->received)
                r = -EFBIG;
        else if (!request->on_data)
                r = buffer_append(&request->body, data, size);
        else if (request->result.status >= 200 && request->result.status < 300)
                r = request->on_data(&request->result, data, size, request->userdata);
        else
                r = 0; /* an error page is nobody's payload */

        if (r < 0) {
                request->result.error = r;
                return 0; /* ends the transfer: the reaper reports result.error, not curl's "write error" */
        }
        request->received += size;
        return request->cancelled ? 0 : size;
}

/* Keeps the value when the header line has that name. */
static int header_keep(const char *line, const char *name, char **target)
{
        size_t n = strlen(name);
        _cleanup_free_ char *copy = NULL;

        if (strncasecmp(line, name, n) != 0 || line[n] != ':')
                return 0;

        copy = strdup(line + n + 1);
        if (!copy)
                return -ENOMEM;
        return text_set(target, text_strip(copy));
}

/* A status line begins the headers of the next answer: those of a redirect are not the final one's. */
static void headers_forget(HttpRequest *request)
{
        char **const kept[] = { &request->etag, &request->content_range, &request->content_type,
                                &request->wanted };

        for (size_t i = 0; i < ELEMENTSOF(kept); i++) {
                free(*kept[i]);
                *kept[i] = NULL;
        }
}

static size_t on_curl_header(char *data, size_t size, size_t n, void *userdata)
{
        HttpRequest *request = userdata;
        _cleanup_free_ char *line = NULL;
        int r;

        size *= n;
        r = buffer_append(&request->header_bytes, data,
                          size); /* counts them against their maximum */
        if (r >= 0) {
                line = strndup(data, size);
                r = line ? 0 : -ENOMEM;
        }
        if (r >= 0 && after_prefix(line, "HTTP/"))
                headers_forget(request);
        if (r >= 0)
                r = header_keep(line, "etag", &request->etag);
        if (r >= 0)
                r = header_keep(line, "content-range", &request->content_range);
        if (r >= 0)
                r = header_keep(line, "content-type", &request->content_type);
        if (r >= 0 && request->wanted_header)
                r = header_keep(line, request->wanted_header, &request->wanted);

        if (r < 0) {
                request->result.error = r == -EFBIG ? -EMSGSIZE : r; /* not the body's fault */
                return 0;
        }
        return size;
}

/* The one table that says what a failure of curl means to us. */
static const struct {
        CURLcode code;
        int error;
        bool tls;
} curl_errors[] = {
        { CURLE_UNSUPPORTED_PROTOCOL, -EPROTONOSUPPORT, false },
        { CURLE_URL_MALFORMAT, -EINVAL, false },
        { CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH, false },
        { CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH, false },
        { CURLE_COULDNT_CONNECT, -ECONNREFUSED, false },
        { CURLE_PARTIAL_FILE, -ECONNRESET, false },
        { CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT, false },
        { CURLE_RANGE_ERROR, -ERANGE, false },
        { CURLE_SSL_CONNECT_ERROR, -EPROTO, true },
        { CURLE_TOO_MANY_REDIRECTS, -ELOOP, false },
        { CURLE_GOT_NOTHING, -ECONNRESET, false },
        { CURLE_SEND_ERROR, -ECONNRESET, false },
        { CURLE_RECV_ERROR, -ECONNRESET, false },
        { CURLE_SSL_CERTPROBLEM, -EPROTO, true },
        { CURLE_PEER_FAILED_VERIFICATION, -EPROTO, true },
        { CURLE_SSL_CACERT_BADFILE, -EPROTO, true },
        { CURLE_SSL_PINNEDPUBKEYNOTMATCH, -EPROTO, true },
        { CURLE_FILESIZE_EXCEEDED, -EFBIG, false },
        { CURLE_OUT_OF_MEMORY, -ENOMEM, false },
};

static void request_judge(HttpRequest *request, CURLcode code)
{
        HttpResult *result = &request->result;

        request_fill_result(request);
        if (result->error == 0 && code != CURLE_OK) {
                result->error = -EIO;
                for (size_t i = 0; i < ELEMENTSOF(curl_errors); i++)
                        if (curl_errors[i].code == code) {
                                result->error = curl_errors[i].error;
                                result->tls = curl_errors[i].tls;
                        }
                if (!request->detail[0])
                        result->detail = curl_easy_strerror(code);
        } else if (result->error < 0)
                result->detail = strerror(-result->error);
}

/* Takes a request out of curl and out of the list: what is left of it is its result. */
static void request_detach(HttpRequest *request)
{
        (void)curl_multi_remove_handle(request->http->multi,
                                       request->easy); /* fails only inside of curl */
        LIST_REMOVE(request, entries);
        request->http = NULL;
}

/* Calls back and frees. The owner may start or cancel requests from its callback, and even let go of all. */
static void request_finish(HttpRequest *request, CURLcode code)
{
        _cleanup_(request_free_p) _unused_ HttpRequest *owned = request;
        _cleanup_free_ char *body = NULL;

        request_judge(request, code);
        if (!request->on_data && request->result.error == 0) {
                int r = buffer_take_text(&request->body, &body, &request->result.body_size);
                if (r < 0)
                        request->result.error = r;
                request->result.body = body;
        }
        request_detach(request);
        request->on_done(&request->result, request->userdata);
}

static void http_free_cancelled(Http *http)
{
        HttpRequest *request = LIST_FIRST(&http->requests);

        while (request) {
                HttpRequest *next = LIST_NEXT(request, entries);

                if (request->cancelled)
                        request_free(request);
                request = next;
        }
}

/* Reports one finished transfer each time: its callback may free all others, and http too. */
static int on_reap(_unused_ sd_event_source *source, void *userdata)
{
        Http *http = userdata;
        CURLMsg *message;
        int left;

        http_free_cancelled(http);
        while ((message = curl_multi_info_read(http->multi, &left))) {
                HttpRequest *request;

                if (message->msg == CURLMSG_DONE
                    && curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request)
                               == CURLE_OK) {
                        http_reap_later(http); /* there may be more */
                        request_finish(request, message->data.result);
                        return 0;
                }
        }

        return 0;
}

Http *http_free(Http *http)
{
        if (!http)
                return NULL;

        assert(!http->in_curl);
        while (!LIST_EMPTY(&http->requests))
                request_free(LIST_FIRST(&http->requests));
        if (http->multi)
                (void)curl_multi_cleanup(
                        http->multi); /* calls on_curl_socket for idle connections */
        sd_event_source_disable_unref(http->reaper);
        sd_event_source_disable_unref(http->timer);
        sd_event_unref(http->event);
        free(http);
        return NULL;
}

static int http_set_up_multi(Http *http)
{
        http->multi = curl_multi_init();
        if (!http->multi)
                return -ENOMEM;

        if (curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket) != CURLM_OK
            || curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http) != CURLM_OK
            || curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer) != CURLM_OK
            || curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http) != CURLM_OK)
                return -EIO;
        return 0;
}

int http_new(sd_event *event, Http **ret)
{
        _cleanup_(http_free_p) Http *http = NULL;
        int r;

        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return -ENOMEM;

        http = calloc(1, sizeof(Http));
        if (!http)
                return -ENOMEM;
        LIST_INIT(&http->requests);
        http->event = sd_event_ref(event);

        r = sd_event_add_time(event, &http->timer, CLOCK_MONOTONIC, 0, HTTP_TIMER_ACCURACY,
                              on_timer, http);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(http->timer, SD_EVENT_OFF);
        (void)sd_event_source_set_description(http->timer, "http-timer");

        r = sd_event_add_defer(event, &http->reaper, on_reap, http);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(http->reaper, SD_EVENT_OFF);
        (void)sd_event_source_set_description(http->reaper, "http-reaper");

        r = http_set_up_multi(http);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(http);
        return 0;
}

static int request_add_headers(HttpRequest *request, const HttpParameters *p)
{
        for (const char *const *h = p->headers; h && *h; h++) {
                struct curl_slist *list = curl_slist_append(request->headers, *h);
                if (!list)
                        return -ENOMEM;
                request->headers = list;
        }

        return 0;
}

static int request_set_message(HttpRequest *request, const HttpParameters *p)
{
        CURL *easy = request->easy;
        bool failed = false;

        if (p->body) {
                SET(CURLOPT_POST, 1L);
                SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->body_size);
                SET(CURLOPT_COPYPOSTFIELDS, p->body);
        }
        if (p->method) {
                SET(CURLOPT_CUSTOMREQUEST, p->method);
                SET(CURLOPT_POSTREDIR, (long)CURL_REDIR_POST_ALL); /* or the body gets lost */
        }
        if (p->range_from)
                SET(CURLOPT_RESUME_FROM_LARGE, (curl_off_t)p->range_from);
        if (p->user_agent)
                SET(CURLOPT_USERAGENT, p->user_agent);
        SET(CURLOPT_HTTPHEADER, request->headers);
        SET(CURLOPT_WRITEFUNCTION, on_curl_body);
        SET(CURLOPT_WRITEDATA, request);
        SET(CURLOPT_HEADERFUNCTION, on_curl_header);
        SET(CURLOPT_HEADERDATA, request);
        SET(CURLOPT_ERRORBUFFER, request->detail);
        SET(CURLOPT_PRIVATE, request);

        return failed ? -EINVAL : 0;
}

static int request_new(const HttpParameters *p, HttpRequest **ret)
{
        _cleanup_(request_free_p) HttpRequest *request = calloc(1, sizeof(HttpRequest));
        int r;

        if (!request)
                return -ENOMEM;

        request->body = BUFFER_MAX(p->size_max);
        request->header_bytes = BUFFER_MAX(HTTP_HEADERS_MAX);
        request->size_max = p->size_max;
        request->on_data = p->on_data;
        request->on_done = p->on_done;
        request->userdata = p->userdata;
        request->easy = curl_easy_init();
        if (!request->easy)
                return -ENOMEM;

        r = text_set(&request->wanted_header, p->wanted_header);
        if (r < 0)
                return r;
        r = request_add_headers(request, p);
        if (r < 0)
                return r;
        r = http_options_set(request->easy, p);
        if (r < 0)
                return r;
        r = request_set_message(request, p);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(request);
        return 0;
}

int http_start(Http *http, const HttpParameters *p, HttpRequest **ret)
{
        _cleanup_(request_free_p) HttpRequest *request = NULL;
        int r;

        assert(p->size_max > 0 && p->on_done);
        r = request_new(p, &request);
        if (r < 0)
                return r;

        if (curl_multi_add_handle(http->multi, request->easy) != CURLM_OK)
                return -EIO;
        request->http = http;
        LIST_INSERT_HEAD(&http->requests, request, entries);

        if (ret)
                *ret = request;
        TAKE_PTR(request); /* owned by http->requests now */
        return 0;
}
