#include <gnutls/gnutls.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/http-connection.h"
#include "base/http-serve.h"
#include "base/log.h"
#include "base/text.h"

/* This much of a body that is too large is still read, so that its sender sees the 413. */
#define DRAIN_FACTOR 16

struct HttpServe {
        sd_event *event;
        sd_event_source *ready; /* MHD's epoll descriptor */
        sd_event_source *timer; /* when MHD wants to be run without that */
        struct MHD_Daemon *daemon;
        HttpServeParameters p;
};

/* A request on its way in. */
typedef struct Exchange {
        Buffer body;
        uint64_t received;
        void *state;
} Exchange;

void http_serve_run(HttpServe *server)
{
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
        http_serve_run(userdata);
        return 0;
}

static int on_timer(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        http_serve_run(userdata);
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
        HttpServe *server = userdata;
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
static void on_completed(void *userdata, struct MHD_Connection *connection, void **context,
                         _unused_ enum MHD_RequestTerminationCode why)
{
        const HttpServe *server = userdata;
        Exchange *exchange = *context;
        Connection *watched = connection_of(connection);

        if (watched)
                connection_answered(watched);
        if (!exchange)
                return;
        if (exchange->state)
                server->p.on_end(exchange->state, server->p.userdata);
        buffer_done(&exchange->body);
        free(exchange);
        *context = NULL;
}

const char *http_serve_header(struct MHD_Connection *connection, const char *name)
{
        return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

enum MHD_Result http_serve_text(struct MHD_Connection *connection, unsigned status,
                                const char *allow, const char *text)
{
        _cleanup_(reply_done) Reply reply = {};

        if (reply_text(&reply, status, "%s", text) < 0)
                return MHD_NO;
        reply.allow = allow;
        return reply_queue(&reply, connection);
}

static enum MHD_Result answer_too_large(const HttpServe *server, struct MHD_Connection *connection)
{
        return http_serve_text(connection, MHD_HTTP_CONTENT_TOO_LARGE, NULL, server->p.too_large);
}

/* The head of a request is there: what is too large is refused before it is sent. */
static enum MHD_Result exchange_begin(const HttpServe *server, struct MHD_Connection *connection,
                                      Exchange **ret)
{
        const char *length = http_serve_header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
        Exchange *exchange;
        uint64_t size;

        if (length && text_to_u64(length, server->p.body_max, &size) == -ERANGE)
                return answer_too_large(server, connection);

        exchange = malloc(sizeof(Exchange));
        if (!exchange)
                return MHD_NO;
        *exchange = (Exchange) { .body = BUFFER_MAX(server->p.body_max) };
        *ret = exchange;
        return MHD_YES;
}

/* A piece of a body: kept, or beyond the limit only counted. */
static enum MHD_Result exchange_receive(const HttpServe *server, Exchange *exchange,
                                        const char *data, size_t size)
{
        exchange->received += size;
        if (exchange->received > DRAIN_FACTOR * server->p.body_max)
                return MHD_NO;
        if (exchange->received > server->p.body_max)
                return MHD_YES;

        return buffer_append(&exchange->body, data, size) < 0 ? MHD_NO : MHD_YES;
}

/* MHD asks clients for a certificate, but leaves it to us to insist on a good one. */
static bool client_is_known(const HttpServe *server, struct MHD_Connection *connection)
{
        const union MHD_ConnectionInfo *info;
        unsigned status = 0;

        if (!server->p.ca_pem)
                return true;
        info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        return info && gnutls_certificate_verify_peers2(info->tls_session, &status) == 0
               && status == 0;
}

/* The whole request is there, for the first time or again. */
static enum MHD_Result exchange_answer(const HttpServe *server, struct MHD_Connection *connection,
                                       const char *path, const char *method, Exchange *exchange)
{
        Connection *watched = connection_of(connection);

        if (watched)
                connection_asked(watched);
        if (exchange->received > server->p.body_max)
                return answer_too_large(server, connection);

        return server->p.on_request(
                &(HttpServeRequest) {
                        .connection = connection,
                        .path = path,
                        .method = method,
                        .body = exchange->body.data ? exchange->body.data : "",
                        .body_size = exchange->body.size,
                        .state = &exchange->state,
                },
                server->p.userdata);
}

/*
 * MHD calls for the head of a request, then for each piece of its body, then once more for its end.
 */
static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
                                  const char *path, const char *method,
                                  _unused_ const char *version, const char *data, size_t *size,
                                  void **context)
{
        const HttpServe *server = userdata;
        Exchange *exchange = *context;
        size_t n = *size;

        if (!exchange && !client_is_known(server, connection))
                return MHD_NO;
        if (!exchange)
                return exchange_begin(server, connection, (Exchange **)context);
        if (n == 0)
                return exchange_answer(server, connection, path, method, exchange);

        *size = 0;
        return exchange_receive(server, exchange, data, n);
}

_printf_(2, 0) static void on_log(_unused_ void *userdata, const char *format, va_list arguments)
{
        _cleanup_free_ char *text = NULL;

        if (text_vformat(&text, format, arguments) < 0)
                return;
        log_debug("%s", text_strip(text)); /* mostly of clients that went away */
}

static int server_start(HttpServe *server)
{
        const HttpServeParameters *p = &server->p;
        const union MHD_DaemonInfo *info;
        struct MHD_OptionItem tls[] = {
                { MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)p->certificate_pem }, /* not written to */
                { MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)p->key_pem },
                { p->ca_pem ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, (void *)p->ca_pem },
                { MHD_OPTION_END, 0, NULL },
        };
        unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;

        if (p->certificate_pem)
                flags |= MHD_USE_TLS;
        else
                tls[0].option = MHD_OPTION_END;
        server->daemon = MHD_start_daemon(
                flags, 0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
                MHD_OPTION_LISTEN_SOCKET, p->listen_fd, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
                server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
                MHD_OPTION_CONNECTION_LIMIT, p->connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
                CONNECTION_IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, p->memory_max,
                MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
                MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
        if (!server->daemon)
                return -EIO;

        info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        if (!info)
                return -EOPNOTSUPP;
        return sd_event_add_io(server->event, &server->ready, info->epoll_fd, EPOLLIN, on_ready,
                               server);
}

int http_serve_new(sd_event *event, const HttpServeParameters *parameters, HttpServe **ret)
{
        _cleanup_(http_serve_free_p) HttpServe *server = malloc(sizeof(HttpServe));
        int r;

        if (!server)
                return -ENOMEM;
        *server = (HttpServe) { .event = sd_event_ref(event), .p = *parameters };

        r = sd_event_add_time(event, &server->timer, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_timer,
                              server);
        if (r < 0)
                return r;
        r = server_start(server);
        if (r < 0)
                return r;

        http_serve_run(server);
        *ret = TAKE_PTR(server);
        return 0;
}

HttpServe *http_serve_free(HttpServe *server)
{
        if (!server)
                return NULL;

        if (server->daemon)
                MHD_stop_daemon(server->daemon);
        sd_event_source_disable_unref(server->ready);
        sd_event_source_disable_unref(server->timer);
        sd_event_unref(server->event);
        free(server);
        return NULL;
}

void http_serve_resume(HttpServe *server, struct MHD_Connection *connection)
{
        MHD_resume_connection(connection);
        http_serve_run(server);
}

unsigned http_serve_quiesce(HttpServe *server)
{
        const union MHD_DaemonInfo *info;
        int fd = MHD_quiesce_daemon(server->daemon);

        if (fd >= 0)
                (void)close(fd); /* nobody is accepted from it any more */
        info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
        return info ? info->num_connections : 0;
}
