#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/text.h"
#include "unit/base/http-server.h"
#include "unit/unit.h"

#define FLOOD_LINES  40
#define FLOOD_LENGTH 2000                  /* so many bytes in each line */
#define MEMORY_MAX   ((size_t)(256 * KIB)) /* room for the flood */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status,
                              const char *const *headers, const void *body, size_t size)
{
        struct MHD_Response *response =
                MHD_create_response_from_buffer(size, (void *)body, MHD_RESPMEM_MUST_COPY);
        enum MHD_Result result;

        for (; headers && *headers; headers += 2)
                (void)MHD_add_response_header(response, headers[0], headers[1]);
        result = MHD_queue_response(connection, status, response);
        MHD_destroy_response(response);
        return result;
}

static enum MHD_Result answer_body(const HttpServer *server, struct MHD_Connection *connection)
{
        const char *range = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Range");
        const char *headers[] = { "ETag", "\"final\"", NULL, NULL, NULL };
        char content_range[64];
        unsigned long long from = 0;

        if (!range)
                return answer(connection, 200, headers, server->body, HTTP_SERVER_BODY_SIZE);

        assert_int_equal(sscanf(range, "bytes=%llu-", &from), 1);
        snprintf(content_range, sizeof(content_range), "bytes %llu-%zu/%zu", from,
                 HTTP_SERVER_BODY_SIZE - 1, HTTP_SERVER_BODY_SIZE);
        headers[2] = "Content-Range";
        headers[3] = content_range;
        return answer(connection, 206, headers, server->body + from, HTTP_SERVER_BODY_SIZE - from);
}

/*
 * /hop/N (one digit) leads to /hop/N-1, and /hop/0 to /body; its own ETag must not be taken for the
 * last one's.
 */
static enum MHD_Result answer_hop(struct MHD_Connection *connection, const char *rest)
{
        char location[32];
        const char *headers[] = { "Location",      location,      "ETag", "\"hop\"",
                                  "Content-Range", "bytes 0-0/1", NULL };

        if (streq(rest, "0"))
                strcpy(location, "/body");
        else
                snprintf(location, sizeof(location), "/hop/%c", rest[0] - 1);
        return answer(connection, 302, headers, "elsewhere", 9);
}

static enum MHD_Result answer_flood(struct MHD_Connection *connection)
{
        struct MHD_Response *response =
                MHD_create_response_from_buffer(2, (void *)"ok", MHD_RESPMEM_PERSISTENT);
        char value[FLOOD_LENGTH];
        enum MHD_Result result;

        memset(value, 'x', sizeof(value) - 1);
        value[sizeof(value) - 1] = 0;
        for (unsigned i = 0; i < FLOOD_LINES; i++)
                assert_int_equal(MHD_add_response_header(response, "X-Flood", value), MHD_YES);
        result = MHD_queue_response(connection, 200, response);
        MHD_destroy_response(response);
        return result;
}

static ssize_t on_cut(_unused_ void *userdata, uint64_t position, char *buffer, size_t max)
{
        if (position > 0)
                return MHD_CONTENT_READER_END_WITH_ERROR;
        memset(buffer, 'x', MIN_OF(max, (size_t)10));
        return (ssize_t)MIN_OF(max, (size_t)10);
}

/* Says 1000 bytes, sends ten and hangs up. */
static enum MHD_Result answer_cut(struct MHD_Connection *connection)
{
        struct MHD_Response *response =
                MHD_create_response_from_callback(1000, 100, on_cut, NULL, NULL);
        enum MHD_Result result = MHD_queue_response(connection, 200, response);

        MHD_destroy_response(response);
        return result;
}

static enum MHD_Result answer_fixed(struct MHD_Connection *connection, const char *path)
{
        static const struct {
                const char *path;
                unsigned status;
                const char *headers[4];
        } table[] = {
                { "/busy", 503, { "Retry-After", "120" } },
                { "/loop", 302, { "Location", "/loop" } },
                { "/ftp", 302, { "Location", "ftp://127.0.0.1/" } },
                { "/file", 302, { "Location", "file:///etc/passwd" } },
                { "/no-ranges", 200, { "Content-Type", "text/plain" } },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (streq(path, table[i].path))
                        return answer(connection, table[i].status, table[i].headers, path,
                                      strlen(path));

        return answer(connection, 404, NULL, "not here", 8);
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
                                  const char *path, const char *method,
                                  _unused_ const char *version, const char *data, size_t *size,
                                  void **context)
{
        static char begun;
        const char *hop = after_prefix(path, "/hop/");

        if (!streq(method, "GET") && *size > 0) {
                if (!hop)
                        *context = strndup(data, *size); /* a few bytes come in one piece */
                *size = 0;
                return MHD_YES;
        }
        if (!*context) {
                *context = &begun;
                return MHD_YES;
        }
        if (*context != &begun) {
                _cleanup_free_ char *text = *context;
                const char *tag = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Tag");
                const char *headers[] = { "X-Method", method, tag ? "X-Tag" : NULL, tag, NULL };

                return answer(connection, 200, headers, text, strlen(text));
        }

        if (hop)
                return answer_hop(connection, hop);
        if (streq(path, "/body"))
                return answer_body(userdata, connection);
        if (streq(path, "/flood"))
                return answer_flood(connection);
        if (streq(path, "/cut"))
                return answer_cut(connection);
        return answer_fixed(connection, path);
}

void http_server_start(HttpServer *server)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

        *server = (HttpServer) { .body = malloc(HTTP_SERVER_BODY_SIZE) };
        assert_non_null(server->body);
        for (size_t i = 0; i < HTTP_SERVER_BODY_SIZE; i++)
                server->body[i] = (char)('a' + i % 23);

        server->daemon =
                MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, server,
                                 MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                 MEMORY_MAX, MHD_OPTION_END);
        assert_non_null(server->daemon);
        server->port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void http_server_stop(HttpServer *server)
{
        MHD_stop_daemon(server->daemon);
        free(server->body);
}

int silent_port_open(char **ret_url)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
        assert_int_equal(listen(fd, 16), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
        assert_true(text_format(ret_url, "http://127.0.0.1:%u/", ntohs(address.sin_port)) >= 0);
        return fd;
}
