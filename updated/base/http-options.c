#include <strings.h>

#include "base/http-options.h"

#define CURL_BUFFERS    100
#define CURL_BUFFER_MIN 1024 /* curl takes no smaller one */
#define CURL_BUFFER_MAX (16 * KIB)

/* Curl looks at the clock only after 100 buffers: together they must not last longer than a second. */
static long buffer_size(uint64_t rate_max)
{
        return (long)MAX_OF(MIN_OF(rate_max / CURL_BUFFERS, (uint64_t)CURL_BUFFER_MAX),
                            (uint64_t)CURL_BUFFER_MIN);
}

/* A rate that we limit ourselves must not be taken for a dead connection. */
static long low_speed(const HttpParameters *p)
{
        uint64_t bytes = p->rate_min > 0 ? p->rate_min : HTTP_LOW_SPEED_BYTES;

        if (p->may_idle)
                return 0;
        if (p->rate_max > 0)
                bytes = MIN_OF(bytes, p->rate_max / 2);
        return (long)MIN_OF(bytes, (uint64_t)INT32_MAX);
}

static int set_transport(CURL *easy, const HttpParameters *p)
{
        bool failed = false, https = strncasecmp(p->url, "https:", 6) == 0;
        usec_t connect = p->connect_timeout ? p->connect_timeout : HTTP_CONNECT_TIMEOUT;

        SET(CURLOPT_URL, p->url);
        SET(CURLOPT_PROTOCOLS_STR, "http,https");
        SET(CURLOPT_REDIR_PROTOCOLS_STR, https ? "https" : "http,https");
        SET(CURLOPT_FOLLOWLOCATION, p->no_redirects ? 0L : 1L);
        SET(CURLOPT_MAXREDIRS, (long)HTTP_REDIRECTS_MAX);
        SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
        SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        SET(CURLOPT_NOSIGNAL, 1L);
        SET(CURLOPT_TCP_KEEPALIVE, 1L);
        SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(connect / USEC_PER_MSEC));
        SET(CURLOPT_TIMEOUT_MS, (long)(p->total_timeout / USEC_PER_MSEC));
        SET(CURLOPT_LOW_SPEED_LIMIT, low_speed(p));
        SET(CURLOPT_LOW_SPEED_TIME, p->may_idle ? 0L
                                    : p->stall > 0
                                            ? (long)MAX_OF(p->stall / USEC_PER_SEC, (usec_t)1)
                                            : (long)HTTP_LOW_SPEED_SECONDS);
        SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L); /* who tries again asks again where the host is */
        SET(CURLOPT_QUICK_EXIT, 1L); /* do not wait for a resolver that waits for its server */
        if (p->user && https) {
                SET(CURLOPT_USERNAME, p->user);
                SET(CURLOPT_PASSWORD, p->password ? p->password : "");
        }
        if (p->proxy)
                SET(CURLOPT_PROXY, p->proxy);
        if (p->no_proxy)
                SET(CURLOPT_NOPROXY, p->no_proxy);
        SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
        if (p->rate_max > 0) {
                SET(CURLOPT_MAX_RECV_SPEED_LARGE, (curl_off_t)p->rate_max);
                SET(CURLOPT_BUFFERSIZE, buffer_size(p->rate_max));
        }

        return failed ? -EINVAL : 0;
}

/* Curl copies it. */
static struct curl_blob blob_of(const char *text)
{
        return (struct curl_blob) {
                .data = (char *)text, /* not written to */
                .len = strlen(text),
                .flags = CURL_BLOB_COPY,
        };
}

/* Whom TLS trusts, and who we are. An own CA is the only one then, not one more beside the system's. */
static int set_trust(CURL *easy, const HttpParameters *p)
{
        const struct {
                CURLoption option;
                const char *pem;
        } blobs[] = {
                { CURLOPT_CAINFO_BLOB, p->ca_pem },
                { CURLOPT_SSLCERT_BLOB, p->certificate_pem },
                { CURLOPT_SSLKEY_BLOB, p->key_pem },
        };
        bool failed = false;

        if (p->ca_file || p->ca_pem)
                SET(CURLOPT_CAPATH, NULL);
        if (p->ca_file)
                SET(CURLOPT_CAINFO, p->ca_file);
        if (p->certificate_file)
                SET(CURLOPT_SSLCERT, p->certificate_file);
        if (p->key_file)
                SET(CURLOPT_SSLKEY, p->key_file);
        if (p->pinned_key)
                SET(CURLOPT_PINNEDPUBLICKEY, p->pinned_key);
        for (size_t i = 0; i < ELEMENTSOF(blobs); i++) {
                struct curl_blob blob;

                if (!blobs[i].pem)
                        continue;
                blob = blob_of(blobs[i].pem);
                SET(blobs[i].option, &blob);
        }

        return failed ? -EINVAL : 0;
}

int http_options_set(CURL *easy, const HttpParameters *p)
{
        int r;

        r = set_transport(easy, p);
        return r < 0 ? r : set_trust(easy, p);
}
