#include <strings.h>

#include "base/http-internal.h"
#include "base/http-options.h"
#include "base/text.h"

HttpRequest *http_request_free(HttpRequest *request)
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
        /* Counts them against their maximum. */
        r = buffer_append(&request->header_bytes, data, size);
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
        /* Fails only inside of curl. */
        (void)curl_multi_remove_handle(request->http->multi, request->easy);
        LIST_REMOVE(request, entries);
        request->http = NULL;
}

void http_request_finish(HttpRequest *request, CURLcode code)
{
        _cleanup_(http_request_free_p) _unused_ HttpRequest *owned = request;
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

int http_request_new(const HttpParameters *p, HttpRequest **ret)
{
        _cleanup_(http_request_free_p) HttpRequest *request = calloc(1, sizeof(HttpRequest));
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
