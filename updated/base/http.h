/*
 * HTTP(S) over libcurl, driven by sd-event: requests run side by side on one thread, connections are kept
 * alive. TLS 1.2 or newer; at most 5 redirects; https never leads to http; identity encoding. All options of curl
 * are set in http-options.c. Retries belong to the caller.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/time-util.h"

#define HTTP_REDIRECTS_MAX     5
#define HTTP_CONNECT_TIMEOUT   (30 * USEC_PER_SEC)
#define HTTP_LOW_SPEED_BYTES   10 /* bytes/s … */
#define HTTP_LOW_SPEED_SECONDS 90 /* … over so many seconds is taken for a dead connection */
#define HTTP_HEADERS_MAX       (64 * KIB)

typedef struct Http Http;
typedef struct HttpRequest HttpRequest;

/* How it ended. Borrowed: valid inside the callback only. */
typedef struct HttpResult {
        int error;   /* 0: an answer came, see status; else -errno; -EMSGSIZE: of endless headers */
        long status; /* of the last answer; 0 when none came */
        const char *detail; /* what curl says of the error: "Connection refused"; "" without one */
        bool tls;           /* the error concerns TLS or certificates */
        const char *body;   /* without on_data: the answer, NUL-terminated; else NULL */
        size_t body_size;
        const char *etag;          /* as sent, or NULL */
        const char *content_range; /* as sent, or NULL */
        const char *content_type;  /* as sent, or NULL */
        const char *wanted;        /* the value of wanted_header, or NULL */
        int64_t content_length;    /* -1: not said */
        uint64_t retry_after;      /* seconds, 0: not said */
} HttpResult;

/*
 * A piece of the body of a 2xx answer. A negative return ends the request with that error. Curl is at work below:
 * requests may be cancelled here, this one too, but not started, and http_free() must wait.
 */
typedef int (*HttpOnData)(const HttpResult *head, const void *data, size_t size, void *userdata);

/* The end. Anything may be done here, http_free() too; the request itself is gone already. */
typedef void (*HttpOnDone)(const HttpResult *result, void *userdata);

/* Everything borrowed, and only needed during the call of http_start(). */
typedef struct HttpParameters {
        const char *url;
        const char *method; /* "PUT", "DELETE"; NULL: POST with a body, GET without */
        const void *body;   /* NULL: none */
        size_t body_size;
        const char *wanted_header; /* its value is to be kept; NULL: none but those of HttpResult */
        const char *const *headers; /* "Name: value", ended by NULL; or NULL */
        uint64_t range_from; /* GET from this byte on; 0: all. -ERANGE: the server sends others */
        size_t size_max; /* more bytes of answer than this end the request with -EFBIG; needed */
        usec_t connect_timeout; /* 0: HTTP_CONNECT_TIMEOUT */
        usec_t total_timeout;   /* 0: none, only the low-speed limit */
        bool no_redirects;
        bool may_idle; /* a stream that may be silent for hours: no low-speed limit, no wake-ups for it */
        const char *ca_file, *certificate_file, *key_file; /* PEM; NULL: the system's, none, none */
        const char *ca_pem, *certificate_pem, *key_pem;    /* the same as text instead of files */
        const char
                *pinned_key; /* "sha256//…", several with ';': one of them must be the server's */
        const char *proxy;   /* URL; "": none; NULL: as the environment says */
        const char
                *no_proxy; /* host names for which there is none; NULL: as the environment says */
        uint64_t rate_max; /* bytes/s; 0: no limit */
        uint64_t rate_min; /* bytes/s, fewer for as long as stall end it; 0: HTTP_LOW_SPEED_BYTES */
        usec_t stall;      /* 0: HTTP_LOW_SPEED_SECONDS */
        const char *user, *password; /* sent to this host only, over https only */
        const char *user_agent;      /* NULL: none is sent */
        HttpOnData on_data;          /* NULL: the answer is collected */
        HttpOnDone on_done;          /* always called once, unless http_cancel() */
        void *userdata;
} HttpParameters;

int http_new(sd_event *event, Http **ret) _must_check_;
Http *http_free(Http *http); /* cancels what is under way */
DEFINE_CLEANUP(Http *, http_free);

/* Starts a request; callbacks come from the event loop, never from inside this call. ret may be NULL. */
int http_start(Http *http, const HttpParameters *parameters, HttpRequest **ret) _must_check_;

/* Ends a request without calling back. Returns NULL. */
HttpRequest *http_cancel(HttpRequest *request);

/* Is text an absolute http:// or https:// URL with a host, and nothing curl finds fault with? */
bool http_url_is_valid(const char *text);

/* The URL without user, password, query and fragment, for logs; the caller frees it. */
int http_url_for_log(const char *url, char **ret) _must_check_;
