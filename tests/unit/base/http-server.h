/*
 * What the tests of the HTTP client talk to: a server on a thread of its own that behaves well or
 * badly by path.
 *
 * /body: bytes with an ETag, ranges honoured; /hop/N: N + 1 redirects to /body; /loop, /ftp, /file:
 * redirects that must not work; /busy: 503 with Retry-After; /no-ranges: ignores Range; /cut: ends
 * too early; /flood: 80 kB of headers; a body that was sent comes back, with X-Method; anything else: 404 and
 * "not here".
 */
#pragma once

#include <microhttpd.h>

#include "base/macros.h"

#define HTTP_SERVER_BODY_SIZE ((size_t)200000)

typedef struct HttpServer {
        struct MHD_Daemon *daemon;
        unsigned port;
        char *body; /* what /body answers */
} HttpServer;

void http_server_start(HttpServer *server);
void http_server_stop(HttpServer *server);

/* Opens a port whose connections the kernel accepts and nobody answers. Returns the fd. */
int silent_port_open(char **ret_url);
