#include <stdio.h>
#include <strings.h>
#include <time.h>

#include <curl/curl.h>

#include "base/buffer.h"
#include "base/text.h"
#include "cloud-config/source-url.h"
#include "cloud-config/user-data.h"
#include "version.h"

#define REDIRECTS_MAX     5
#define HTTP_OK_FIRST     200
#define HTTP_OK_LAST      299
#define HTTP_SERVER_ERROR 500

bool url_is_remote(const char *text)
{
        return strncasecmp(text, "http://", strlen("http://")) == 0
               || strncasecmp(text, "https://", strlen("https://")) == 0;
}

static void curl_done(CURL **curl)
{
        curl_easy_cleanup(*curl);
}

static void curl_url_done(CURLU **url)
{
        curl_url_cleanup(*url);
}

/* The URL for messages: without user and password. */
static int url_public(const char *url, char **ret)
{
        _cleanup_(curl_url_done) CURLU *parsed = curl_url();
        char *text = NULL;
        int r;

        if (!parsed)
                return -ENOMEM;
        if (curl_url_set(parsed, CURLUPART_URL, url, 0) != CURLUE_OK)
                return text_set(ret, "(a URL that can not be parsed)");

        (void)curl_url_set(parsed, CURLUPART_USER, NULL, 0); /* removing a part does not fail */
        (void)curl_url_set(parsed, CURLUPART_PASSWORD, NULL, 0);
        if (curl_url_get(parsed, CURLUPART_URL, &text, 0) != CURLUE_OK)
                return -ENOMEM;
        r = text_set(ret, text);
        curl_free(text);
        return r;
}

static size_t on_data(char *data, _unused_ size_t one, size_t size, void *userdata)
{
        Buffer *buffer = userdata;

        return buffer_append(buffer, data, size) < 0 ? 0 : size;
}

static int transfer_prepare(CURL *curl, const char *url, Buffer *buffer)
{
        CURLcode code = CURLE_OK;

        code |= curl_easy_setopt(curl, CURLOPT_URL, url);
        code |= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        code |= curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR,
                                 strncasecmp(url, "https:", strlen("https:")) == 0 ? "https"
                                                                                   : "http,https");
        code |= curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
        code |= curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
        code |= curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
        code |= curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)SOURCE_URL_TIMEOUT_SEC);
        code |= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        code |= curl_easy_setopt(curl, CURLOPT_USERAGENT, "sluice-cloud-config/" SLUICE_VERSION);
        code |= curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
        code |= curl_easy_setopt(curl, CURLOPT_WRITEDATA, buffer);
        return code == CURLE_OK ? 0 : -ENOMEM;
}

/* What a failed transfer means: -EAGAIN when it is worth another try. */
static int transfer_judge(CURLcode code, long status)
{
        switch (code) {
        case CURLE_OK:
                if (status >= HTTP_OK_FIRST && status <= HTTP_OK_LAST)
                        return 0;
                return status >= HTTP_SERVER_ERROR ? -EAGAIN : -ENOENT;
        case CURLE_WRITE_ERROR:
                return -EFBIG;
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_URL_MALFORMAT:
        case CURLE_TOO_MANY_REDIRECTS:
                return -EINVAL;
        default:
                return -EAGAIN;
        }
}

static int transfer_run(CURL *curl, char **ret_why)
{
        CURLcode code = curl_easy_perform(curl);
        char *why = NULL;
        long status = 0;
        int r, n = 0;

        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status); /* stays 0 then */
        r = transfer_judge(code, status);
        if (r == -EFBIG)
                n = asprintf(&why, "the document is larger than 1 MiB");
        else if (code != CURLE_OK)
                n = asprintf(&why, "%s", curl_easy_strerror(code));
        else if (r < 0)
                n = asprintf(&why, "the server answered %ld", status);
        if (n < 0)
                return -ENOMEM;

        free(*ret_why);
        *ret_why = why;
        return r;
}

static void sleep_msec(unsigned msec)
{
        struct timespec t = { .tv_sec = msec / 1000, .tv_nsec = (long)(msec % 1000) * 1000000 };

        (void)nanosleep(&t, NULL); /* woken early, the next try is early */
}

static int source_fetch_tries(CURL *curl, Buffer *buffer, char **ret_why)
{
        unsigned pause = SOURCE_URL_BACKOFF_FIRST_MSEC;
        int r = -EAGAIN;

        for (unsigned i = 0; i < SOURCE_URL_TRIES && r == -EAGAIN; i++) {
                if (i > 0) {
                        sleep_msec(pause);
                        pause = MIN_OF(2 * pause, (unsigned)SOURCE_URL_BACKOFF_LAST_MSEC);
                }
                buffer_done(buffer);
                r = transfer_run(curl, ret_why);
        }

        return r == -EAGAIN ? -EHOSTUNREACH : r;
}

int source_fetch(const char *url, Source *ret, char **ret_why)
{
        _cleanup_(curl_done) CURL *curl = curl_easy_init();
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(USER_DATA_MAX);
        _cleanup_(source_done) Source source = {};
        int r;

        if (!curl)
                return -ENOMEM;

        *ret_why = NULL;
        r = transfer_prepare(curl, url, &buffer);
        if (r >= 0)
                r = source_fetch_tries(curl, &buffer, ret_why);
        if (r >= 0)
                r = url_public(url, &source.name);
        if (r >= 0)
                r = buffer_take_text(&buffer, &source.data, &source.size);
        if (r < 0)
                return r;

        *ret = source;
        source = (Source) {};
        return 0;
}
