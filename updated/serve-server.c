#include "serve-server.h"
#include "base/http-serve.h"
#include "base/text.h"
#include "serve-download.h"
#include "serve-request.h"
#include "serve-site.h"

struct Server {
        HttpServe *serve;
        Downloads downloads;
        Site site;
};

static enum MHD_Result answer_payload(Server *server, struct MHD_Connection *connection,
                                      const char *method, const char *name)
{
        CatalogueFile file;
        int fd;

        if (!streq(method, MHD_HTTP_METHOD_GET) && !streq(method, MHD_HTTP_METHOD_HEAD))
                return http_serve_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET, HEAD",
                                       "Payloads are fetched with GET.");

        fd = site_open(&server->site, name, &file);
        if (fd == -ENOENT)
                return http_serve_text(connection, MHD_HTTP_NOT_FOUND, NULL,
                                       "There is no such payload.");
        if (fd < 0)
                return http_serve_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL,
                                       "The payload can not be read; the server's log says why.");

        return download_answer(&server->downloads, connection, method, &file, fd);
}

static enum MHD_Result answer_omaha(Server *server, const HttpServeRequest *request)
{
        struct MHD_Connection *connection = request->connection;
        _cleanup_(reply_done) Reply reply = {};

        if (!streq(request->method, MHD_HTTP_METHOD_POST))
                return http_serve_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "POST",
                                       "Omaha requests are sent with POST.");
        if (site_answer(&server->site, http_serve_header(connection, MHD_HTTP_HEADER_HOST),
                        request->body, request->body_size, &reply)
            < 0)
                return MHD_NO;

        return reply_queue(&reply, connection);
}

/* The whole request is there. */
static enum MHD_Result on_request(const HttpServeRequest *request, void *userdata)
{
        const char *name = after_prefix(request->path, SITE_PAYLOAD_PATH);
        Server *server = userdata;

        if (name)
                return answer_payload(server, request->connection, request->method, name);
        if (streq(request->path, SERVER_PATH) || streq(request->path, SERVER_PATH_BARE))
                return answer_omaha(server, request);

        return http_serve_text(request->connection, MHD_HTTP_NOT_FOUND, NULL,
                               "There is nothing here. Omaha requests go to " SERVER_PATH ".");
}

static void on_download_ready(void *userdata)
{
        Server *server = userdata;

        http_serve_run(server->serve);
}

int server_new(sd_event *event, const ServerParameters *parameters, Server **ret)
{
        _cleanup_(server_free_p) Server *server = malloc(sizeof(Server));
        int r;

        if (!server)
                return -ENOMEM;
        *server = (Server) {
                .downloads = { .event = event,
                               .rate = parameters->rate,
                               .run = on_download_ready,
                               .userdata = server },
                .site = { .directory = parameters->directory, .url_base = parameters->url_base },
        };

        r = site_refresh(&server->site);
        if (r < 0)
                return r;
        r = http_serve_new(event,
                           &(HttpServeParameters) {
                                   .listen_fd = parameters->listen_fd,
                                   .connections_max = SERVER_CONNECTIONS_MAX,
                                   .memory_max = SERVER_MEMORY_MAX,
                                   .body_max = REQUEST_SIZE_MAX,
                                   .too_large = "A request has at most 64 KiB.",
                                   .on_request = on_request,
                                   .userdata = server,
                           },
                           &server->serve);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(server);
        return 0;
}

Server *server_free(Server *server)
{
        if (!server)
                return NULL;

        downloads_resume_all(&server->downloads);
        http_serve_free(server->serve);
        site_done(&server->site);
        free(server);
        return NULL;
}
