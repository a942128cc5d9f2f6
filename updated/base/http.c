#include "base/http-internal.h"

/* curl begins every request with a timer of 0 ms; sd-event's own default would add up to 250 ms to each. */
#define HTTP_TIMER_ACCURACY (1 * USEC_PER_MSEC)

static void http_reap_later(Http *http)
{
        /* Can only fail for a freed source. */
        (void)sd_event_source_set_enabled(http->reaper, SD_EVENT_ONESHOT);
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

HttpRequest *http_cancel(HttpRequest *request)
{
        if (!request || !request->http)
                return NULL; /* its on_done() is running, and it goes after that */
        if (!request->http->in_curl)
                return http_request_free(request);

        request->cancelled = true;
        http_reap_later(request->http);
        return NULL;
}

static void http_free_cancelled(Http *http)
{
        HttpRequest *request = LIST_FIRST(&http->requests);

        while (request) {
                HttpRequest *next = LIST_NEXT(request, entries);

                if (request->cancelled)
                        http_request_free(request);
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
                        http_request_finish(request, message->data.result);
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
                http_request_free(LIST_FIRST(&http->requests));
        if (http->multi)
                /* Calls on_curl_socket for idle connections. */
                (void)curl_multi_cleanup(http->multi);
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

int http_start(Http *http, const HttpParameters *p, HttpRequest **ret)
{
        _cleanup_(http_request_free_p) HttpRequest *request = NULL;
        int r;

        assert(p->size_max > 0 && p->on_done);
        r = http_request_new(p, &request);
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
