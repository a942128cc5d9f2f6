/*
 * The HTTP server: Omaha at /v1/update/, payloads at /payloads/NAME, nothing else. libmicrohttpd
 * with its epoll descriptor inside our event loop: one thread, as in all our programs.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/macros.h"

#define SERVER_PATH            "/v1/update/"
#define SERVER_PATH_BARE       "/v1/update"
/* Each may hold a file too: together below the usual limit of 1024. */
#define SERVER_CONNECTIONS_MAX 400u
#define SERVER_MEMORY_MAX      (32 * KIB) /* of one connection, for its headers */

typedef struct ServerParameters {
        const char *directory; /* borrowed */
        const char *url_base;  /* borrowed; see Site */
        uint64_t rate;         /* bytes/s of each download, 0: no limit */
        int listen_fd;         /* taken over when server_new() succeeds */
} ServerParameters;

typedef struct Server Server;

/* Serves as long as event runs. */
int server_new(sd_event *event, const ServerParameters *parameters, Server **ret) _must_check_;
Server *server_free(Server *server);
DEFINE_CLEANUP(Server *, server_free);
