#include <stdio.h>

#include "backend-fleetlock.h"
#include "fleetlock-wire.h"

#define HTTP_OK        200
#define HTTP_OK_END    300
#define HTTP_NOT_FOUND 404

#define WHY_MAX (FLEETLOCK_KIND_MAX + FLEETLOCK_VALUE_MAX + 256)

typedef struct BackendFleetlock {
        LockBackend backend;
        Http *http;
        FleetlockSettings settings;
        HttpRequest *request;
} BackendFleetlock;

static BackendFleetlock *from_backend(LockBackend *backend)
{
        return (BackendFleetlock *)backend; /* its first member */
}

/* Did it never reach the server? */
static bool was_not_sent(const HttpResult *result)
{
        return result->error == -ECONNREFUSED || result->error == -EHOSTUNREACH || result->tls;
}

static void reply_failure(BackendFleetlock *b, const HttpResult *result)
{
        _cleanup_free_ char *url = NULL;
        char why[WHY_MAX], detail[FLEETLOCK_VALUE_MAX];

        foreign_text(result->detail, strlen(result->detail), detail, sizeof(detail));
        (void)snprintf(
                why, sizeof(why), "%.160s: %s%s",
                http_url_for_log(b->settings.url, &url) < 0 ? "the FleetLock server" : url, detail,
                result->tls ? " (look at the TLS settings: CA, client certificate, host name)"
                            : ""); /* cut is fine */
        lock_backend_reply_why(
                &b->backend, was_not_sent(result) ? LOCK_ANSWER_FAILED : LOCK_ANSWER_UNKNOWN, why);
}

/* Everything but 2xx is "no"; only some servers say why. */
static void reply_refusal(BackendFleetlock *b, const HttpResult *result)
{
        char kind[FLEETLOCK_KIND_MAX], value[FLEETLOCK_VALUE_MAX], why[WHY_MAX];
        bool busy;

        fleetlock_error_parse(result->body, result->body_size, kind, value);
        busy = streq(kind, FLEETLOCK_BUSY);
        if (busy)
                (void)snprintf(why, sizeof(why), "%s", *value ? value : "no slot is free");
        else if (*kind || *value)
                (void)snprintf(why, sizeof(why), "the FleetLock server says %s%s%s", kind,
                               *kind && *value ? ": " : "", value);
        else
                (void)snprintf(why, sizeof(why), "the FleetLock server says HTTP status %ld%s",
                               result->status,
                               result->status == HTTP_NOT_FOUND ? " (is FLEETLOCK_URL its base?)"
                                                                : "");
        lock_backend_reply_why(&b->backend, busy ? LOCK_ANSWER_BUSY : LOCK_ANSWER_FAILED, why);
}

static void on_done(const HttpResult *result, void *userdata)
{
        BackendFleetlock *b = userdata;

        b->request = NULL;
        if (result->error < 0)
                reply_failure(b, result);
        else if (result->status >= HTTP_OK && result->status < HTTP_OK_END)
                lock_backend_reply(&b->backend, &(LockReply) { .answer = LOCK_ANSWER_WRITTEN });
        else
                reply_refusal(b, result);
}

static int fleetlock_demand(LockBackend *backend, const LockDemand *demand)
{
        static const char *const headers[] = { FLEETLOCK_HEADER ": true",
                                               "Content-Type: application/json", "Expect:", NULL };
        BackendFleetlock *b = from_backend(backend);
        const FleetlockSettings *settings = &b->settings;
        _cleanup_free_ char *url = NULL, *body = NULL;
        int r;

        r = text_format(&url, "%s%s", settings->url,
                        demand->release ? FLEETLOCK_RELEASE_PATH : FLEETLOCK_TAKE_PATH);
        if (r >= 0)
                r = fleetlock_request_build(demand->id,
                                            is_empty(settings->group) ? FLEETLOCK_GROUP_DEFAULT
                                                                      : settings->group,
                                            &body);
        if (r < 0)
                return r;

        return http_start(b->http,
                          &(HttpParameters) {
                                  .url = url,
                                  .body = body,
                                  .body_size = strlen(body),
                                  .headers = headers,
                                  .size_max = FLEETLOCK_REPLY_MAX,
                                  .connect_timeout = FLEETLOCK_CONNECT_TIMEOUT,
                                  .total_timeout = FLEETLOCK_TOTAL_TIMEOUT,
                                  .no_redirects = true,
                                  .may_idle = true,
                                  .ca_file = settings->ca_file,
                                  .certificate_file = settings->certificate_file,
                                  .key_file = settings->key_file,
                                  .on_done = on_done,
                                  .userdata = b,
                          },
                          &b->request);
}

static void fleetlock_cancel(LockBackend *backend)
{
        BackendFleetlock *b = from_backend(backend);

        if (b->request)
                b->request = http_cancel(b->request);
}

static void fleetlock_free(LockBackend *backend)
{
        fleetlock_cancel(backend);
        free(from_backend(backend));
}

static const LockBackendOps fleetlock_ops = {
        .name = "FleetLock",
        .demand = fleetlock_demand,
        .cancel = fleetlock_cancel,
        .free = fleetlock_free,
};

int backend_fleetlock_new(Http *http, const FleetlockSettings *settings, LockBackend **ret)
{
        BackendFleetlock *b = calloc(1, sizeof(BackendFleetlock));

        if (!b)
                return -ENOMEM;
        b->backend.ops = &fleetlock_ops;
        b->http = http;
        b->settings = *settings;
        *ret = &b->backend;
        return 0;
}
