/*
 * An HTTP server: libmicrohttpd with its epoll descriptor inside our event loop, one thread, as in all
 * our programs. What clients can use up is bounded: connections, memory for headers, bytes of a body;
 * connections that move next to nothing are shut down.
 */
#pragma once

#include <microhttpd.h>
#include <systemd/sd-event.h>

#include "base/http-reply.h"

typedef struct HttpServe HttpServe;

/* A whole request. Borrowed: valid inside the callback only. */
typedef struct HttpServeRequest {
        struct MHD_Connection *connection;
        const char *path, *method;
        const char *body;
        size_t body_size;
        void **state; /* of the handler's own, NULL at first; see on_end */
} HttpServeRequest;

/*
 * Queues an answer to the connection and returns what that returned; MHD_NO drops the connection. Who
 * needs time suspends it with MHD_suspend_connection() and returns MHD_YES; behind
 * http_serve_resume() it is called again with the same request.
 */
typedef enum MHD_Result (*HttpServeOnRequest)(const HttpServeRequest *request, void *userdata);

typedef struct HttpServeParameters {
        int listen_fd; /* taken over when http_serve_new() succeeds */
        unsigned connections_max;
        size_t memory_max;           /* of one connection, for its headers */
        size_t body_max;             /* of one request */
        const char *too_large;       /* what is said of a larger one */
        const char *certificate_pem; /* TLS, with its key; NULL: plain HTTP */
        const char *key_pem;
        const char *ca_pem; /* clients must have a certificate of it; NULL: they need none */
        HttpServeOnRequest on_request;
        void (*on_end)(void *state, void *userdata); /* the exchange is over; NULL: no state */
        void *userdata;
} HttpServeParameters;

/* Serves as long as event runs. */
int http_serve_new(sd_event *event, const HttpServeParameters *parameters,
                   HttpServe **ret) _must_check_;
HttpServe *http_serve_free(HttpServe *serve); /* nothing may be suspended any more */
DEFINE_CLEANUP(HttpServe *, http_serve_free);

/* Lets MHD go on: after something it waits for has happened. */
void http_serve_run(HttpServe *serve);
void http_serve_resume(HttpServe *serve, struct MHD_Connection *connection);

/* No new connections; returns how many are left. */
unsigned http_serve_quiesce(HttpServe *serve);

/* A header of the request, whatever its case; NULL: it has none. Borrowed for as long as the request lasts. */
const char *http_serve_header(struct MHD_Connection *connection, const char *name);

/* A line of text as the answer; allow is the Allow header, or NULL. */
enum MHD_Result http_serve_text(struct MHD_Connection *connection, unsigned status,
                                const char *allow, const char *text);
