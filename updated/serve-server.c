#include <microhttpd.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/text.h"
#include "serve-connection.h"
#include "serve-download.h"
#include "serve-request.h"
#include "serve-server.h"
#include "serve-site.h"

/* A body that is too large is read on so far, so that its sender gets to see the 413. */
#define DRAIN_MAX (16 * REQUEST_SIZE_MAX)

struct Server {
        sd_event *event;
        sd_event_source *ready; /* MHD's epoll descriptor */
        sd_event_source *timer; /* when MHD wants to be run without that */
        struct MHD_Daemon *daemon;
        Downloads downloads;
        Site site;
};

/* A request on its way in. */
typedef struct Exchange {
        Buffer body;
        uint64_t received;
} Exchange;

static void server_run(void *userdata)
{
        Server *server = userdata;
        MHD_UNSIGNED_LONG_LONG milliseconds;
        int enabled = SD_EVENT_OFF;

        (void)MHD_run(server->daemon); /* fails only where there is no epoll descriptor */

        if (MHD_get_timeout(server->daemon, &milliseconds) == MHD_YES
            && sd_event_source_set_time_relative(server->timer, milliseconds * USEC_PER_MSEC) >= 0)
                enabled = SD_EVENT_ONESHOT;
        (void)sd_event_source_set_enabled(server->timer, enabled); /* the source is live */
}

static int on_ready(_unused_ sd_event_source *source, _unused_ int fd, _unused_ uint32_t revents,
                    void *userdata)
{
        server_run(userdata);
        return 0;
}

static int on_timer(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        server_run(userdata);
        return 0;
}

static Connection *connection_of(struct MHD_Connection *connection)
{
        const union MHD_ConnectionInfo *info =
                MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

        return info ? info->socket_context : NULL;
}

/*
 * MHD: a connection came or went. Without memory for its watch, it has only MHD's own time limit.
 */
static void on_connection(void *userdata, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
        Server *server = userdata;
        const union MHD_ConnectionInfo *info;
        Connection *watched;

        if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
                *context = connection_free(*context);
                return;
        }

        info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info
            && connection_new(server->event, info->connect_fd, CONNECTION_WATCH_INTERVAL, &watched)
                       >= 0)
                *context = watched;
}

/* MHD: an exchange is over, well or not. */
static void on_completed(_unused_ void *userdata, struct MHD_Connection *connection, void **context,
                         _unused_ enum MHD_RequestTerminationCode why)
{
        Exchange *exchange = *context;
        Connection *watched = connection_of(connection);

        if (watched)
                connection_answered(watched);
        if (!exchange)
                return;
        buffer_done(&exchange->body);
        free(exchange);
        *context = NULL;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
                                   const char *allow, const char *text)
{
        _cleanup_(reply_done) Reply reply = {};

        if (reply_text(&reply, status, "%s", text) < 0)
                return MHD_NO;
        reply.allow = allow;
        return reply_queue(&reply, connection);
}

static enum MHD_Result answer_too_large(struct MHD_Connection *connection)
{
        return answer_text(connection, MHD_HTTP_CONTENT_TOO_LARGE, NULL,
                           "A request has at most 64 KiB.");
}

static enum MHD_Result answer_payload(Server *server, struct MHD_Connection *connection,
                                      const char *method, const char *name)
{
        const CataloguePayload *payload;
        int fd;

        if (!streq(method, MHD_HTTP_METHOD_GET) && !streq(method, MHD_HTTP_METHOD_HEAD))
                return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET, HEAD",
                                   "Payloads are fetched with GET.");

        fd = site_open(&server->site, name, &payload);
        if (fd == -ENOENT)
                return answer_text(connection, MHD_HTTP_NOT_FOUND, NULL,
                                   "There is no such payload.");
        if (fd < 0)
                return answer_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL,
                                   "The payload can not be read; the server's log says why.");

        return download_answer(&server->downloads, connection, method, payload, fd);
}

static const char *header_get(struct MHD_Connection *connection, const char *name)
{
        return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result answer_omaha(Server *server, struct MHD_Connection *connection,
                                    const char *method, const Exchange *exchange)
{
        _cleanup_(reply_done) Reply reply = {};

        if (!streq(method, MHD_HTTP_METHOD_POST))
                return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "POST",
                                   "Omaha requests are sent with POST.");
        if (site_answer(&server->site, header_get(connection, MHD_HTTP_HEADER_HOST),
                        exchange->body.data, exchange->body.size, &reply)
            < 0)
                return MHD_NO;

        return reply_queue(&reply, connection);
}

/* The head of a request is there: what is too large is refused before it is sent. */
static enum MHD_Result exchange_begin(struct MHD_Connection *connection, Exchange **ret)
{
        const char *length = header_get(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
        Exchange *exchange;
        uint64_t size;

        if (length && text_to_u64(length, REQUEST_SIZE_MAX, &size) == -ERANGE)
                return answer_too_large(connection);

        exchange = malloc(sizeof(Exchange));
        if (!exchange)
                return MHD_NO;
        *exchange = (Exchange) { .body = BUFFER_MAX(REQUEST_SIZE_MAX) };
        *ret = exchange;
        return MHD_YES;
}

/* A piece of a body: kept, or beyond the limit only counted. */
static enum MHD_Result exchange_receive(Exchange *exchange, const char *data, size_t size)
{
        exchange->received += size;
        if (exchange->received > DRAIN_MAX)
                return MHD_NO;
        if (exchange->received > REQUEST_SIZE_MAX)
                return MHD_YES;

        return buffer_append(&exchange->body, data, size) < 0 ? MHD_NO : MHD_YES;
}

/* The whole request is there. */
static enum MHD_Result exchange_answer(Server *server, struct MHD_Connection *connection,
                                       const char *path, const char *method,
                                       const Exchange *exchange)
{
        const char *name = after_prefix(path, SITE_PAYLOAD_PATH);
        Connection *watched = connection_of(connection);

        if (watched)
                connection_asked(watched);
        if (exchange->received > REQUEST_SIZE_MAX)
                return answer_too_large(connection);
        if (name)
                return answer_payload(server, connection, method, name);
        if (streq(path, SERVER_PATH) || streq(path, SERVER_PATH_BARE))
                return answer_omaha(server, connection, method, exchange);

        return answer_text(connection, MHD_HTTP_NOT_FOUND, NULL,
                           "There is nothing here. Omaha requests go to " SERVER_PATH ".");
}

/*
 * MHD calls for the head of a request, then for each piece of its body, then once more for its end.
 */
static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
                                  const char *path, const char *method,
                                  _unused_ const char *version, const char *data, size_t *size,
                                  void **context)
{
        Exchange *exchange = *context;
        size_t n = *size;

        if (!exchange)
                return exchange_begin(connection, (Exchange **)context);
        if (n == 0)
                return exchange_answer(userdata, connection, path, method, exchange);

        *size = 0;
        return exchange_receive(exchange, data, n);
}

_printf_(2, 0) static void on_log(_unused_ void *userdata, const char *format, va_list arguments)
{
        _cleanup_free_ char *text = NULL;

        if (text_vformat(&text, format, arguments) < 0)
                return;
        log_debug("%s", text_strip(text)); /* mostly of clients that went away */
}

static int server_start(Server *server, int listen_fd)
{
        const union MHD_DaemonInfo *info;

        server->daemon = MHD_start_daemon(
                MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
                on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
                MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
                server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
                MHD_OPTION_CONNECTION_LIMIT, SERVER_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                CONNECTION_IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, SERVER_MEMORY_MAX,
                MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
                MHD_OPTION_END);
        if (!server->daemon)
                return -EIO;

        info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        if (!info)
                return -EOPNOTSUPP;
        return sd_event_add_io(server->event, &server->ready, info->epoll_fd, EPOLLIN, on_ready,
                               server);
}

int server_new(sd_event *event, const ServerParameters *parameters, Server **ret)
{
        _cleanup_(server_free_p) Server *server = malloc(sizeof(Server));
        int r;

        if (!server)
                return -ENOMEM;
        *server = (Server) {
                .event = sd_event_ref(event),
                .downloads = { .event = event,
                               .rate = parameters->rate,
                               .run = server_run,
                               .userdata = server },
                .site = { .directory = parameters->directory, .url_base = parameters->url_base },
        };

        r = site_refresh(&server->site);
        if (r < 0)
                return r;
        r = sd_event_add_time(event, &server->timer, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_timer,
                              server);
        if (r < 0)
                return r;
        r = server_start(server, parameters->listen_fd);
        if (r < 0)
                return r;

        server_run(server);
        *ret = TAKE_PTR(server);
        return 0;
}

Server *server_free(Server *server)
{
        if (!server)
                return NULL;

        downloads_resume_all(&server->downloads);
        if (server->daemon)
                MHD_stop_daemon(server->daemon);
        sd_event_source_disable_unref(server->ready);
        sd_event_source_disable_unref(server->timer);
        site_done(&server->site);
        sd_event_unref(server->event);
        free(server);
        return NULL;
}
