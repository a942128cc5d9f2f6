#include <stdio.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/text.h"
#include "etcd-internal.h"

#define WHY_MAX           2048
#define AUTH_PATH         "/v3/auth/authenticate"
#define HTTP_OK           200
#define HTTP_UNAUTHORIZED 401
#define HTTP_NOT_FOUND    404
#define HTTP_SERVER_ERROR 500

struct EtcdCall {
        Etcd *etcd;
        HttpRequest *request;
        char *path, *body;
        const char *method; /* of v2; NULL: of v3 */
        bool write;
        bool wait;            /* of v2: a long poll */
        bool authenticating;  /* the request under way fetches a token for this call */
        bool reauthenticated; /* one stale token is forgiven, not two */
        long status;          /* of the last answer, 0: none */
        size_t n_tried;       /* endpoints that failed this call */
        Buffer why;
        EtcdOnReply on_reply;
        void *userdata;
};

static int call_send(EtcdCall *call);

int etcd_new(Http *http, const EtcdSettings *settings, Etcd **ret)
{
        Etcd *etcd;

        if (settings->endpoints.n_items == 0)
                return -EINVAL;

        etcd = calloc(1, sizeof(Etcd));
        if (!etcd)
                return -ENOMEM;
        *etcd = (Etcd) { .http = http, .settings = settings, .api = settings->api };

        *ret = etcd;
        return 0;
}

Etcd *etcd_free(Etcd *etcd)
{
        if (!etcd)
                return NULL;

        etcd_cancel(etcd->sent);
        free(etcd->token);
        free(etcd);
        return NULL;
}

EtcdApi etcd_api(const Etcd *etcd)
{
        return etcd->api;
}

void etcd_set_api(Etcd *etcd, EtcdApi api)
{
        etcd->api = api;
}

bool etcd_was_reached(const Etcd *etcd)
{
        return etcd->reached;
}

void etcd_rotate(Etcd *etcd)
{
        etcd->current = (etcd->current + 1) % etcd->settings->endpoints.n_items;
}

const char *etcd_endpoint(const Etcd *etcd)
{
        return etcd->settings->endpoints.items[etcd->current];
}

int etcd_post(Etcd *etcd, const EtcdPost *post, HttpRequest **ret)
{
        _cleanup_free_ char *url = NULL, *authorization = NULL;
        const char *headers[] = {
                "Content-Type: application/json", "Expect:",
                /* or a member without a leader keeps us waiting for 7 s, or for ever */
                "Grpc-Metadata-hasleader: true", NULL, NULL
        };

        if (text_format(&url, "%s%s", etcd_endpoint(etcd), post->path) < 0)
                return -ENOMEM;
        if (etcd->token && !streq(post->path, AUTH_PATH)) {
                if (text_format(&authorization, "Authorization: %s", etcd->token) < 0)
                        return -ENOMEM;
                headers[3] = authorization;
        }

        return http_start(etcd->http,
                          &(HttpParameters) {
                                  .url = url,
                                  .body = post->body,
                                  .body_size = strlen(post->body),
                                  .headers = headers,
                                  .size_max = post->on_data ? SIZE_MAX : ETCD_REPLY_MAX,
                                  .connect_timeout = ETCD_CONNECT_TIMEOUT,
                                  .total_timeout = post->on_data ? 0 : ETCD_TOTAL_TIMEOUT,
                                  .no_redirects = true,
                                  .may_idle = post->on_data,
                                  .ca_file = etcd->settings->ca_file,
                                  .certificate_file = etcd->settings->certificate_file,
                                  .key_file = etcd->settings->key_file,
                                  .on_data = post->on_data,
                                  .on_done = post->on_done,
                                  .userdata = post->userdata,
                          },
                          ret);
}

EtcdCall *etcd_cancel(EtcdCall *call)
{
        if (!call)
                return NULL;

        if (call->request)
                http_cancel(call->request);
        free(call->path);
        free(call->body);
        buffer_done(&call->why);
        free(call);
        return NULL;
}
DEFINE_CLEANUP(EtcdCall *, etcd_cancel);

void etcd_failure_text(const Etcd *etcd, const HttpResult *result, char why[static ETCD_WHY_MAX])
{
        const char *hint = "";
        size_t n;

        if (result->error < 0) {
                bool https = strncasecmp(etcd_endpoint(etcd), "https:", 6) == 0;

                /* TLS 1.3 refuses a missing or foreign client certificate after the handshake, by
                 * hanging up. */
                if (result->tls || (https && result->error == -ECONNRESET))
                        hint = " (look at the TLS settings: CA, client certificate, host name)";
                else if (!https && result->error == -ECONNRESET && result->status == 0)
                        hint = " (does this endpoint want https?)";
                foreign_text(result->detail, strlen(result->detail), why, ETCD_WHY_MAX);
        } else {
                if (result->body_size > 0)
                        etcd_error_text(result->body, result->body_size, why);
                else
                        (void)snprintf(why, ETCD_WHY_MAX, "HTTP status %ld",
                                       result->status); /* fits */
                if (result->status == HTTP_NOT_FOUND)
                        hint = " (no such API of etcd answers there: see ETCD_API in locksmithd(8))";
                else if (strstr(why, "database space exceeded"))
                        hint = " (etcd is full: compact and defragment it, then etcdctl alarm disarm)";
                else if (strstr(why, "CommonName of client"))
                        hint = " (etcd with authentication on refuses client certificates that have a CN: use one"
                               " without, and user and password)";
        }

        n = strlen(why);
        (void)snprintf(why + n, ETCD_WHY_MAX - n, "%s", hint); /* cut is fine */
}

static void call_note_why(EtcdCall *call, const char *why)
{
        _cleanup_free_ char *endpoint = NULL;
        int r;

        if (http_url_for_log(etcd_endpoint(call->etcd), &endpoint) < 0)
                return;
        for (size_t n = strlen(endpoint); n > 0 && endpoint[n - 1] == '/'; n--)
                endpoint[n - 1] = 0;

        r = buffer_appendf(&call->why, "%s%s: %s", call->why.size > 0 ? "; " : "", endpoint, why);
        if (r < 0)
                return; /* nobody would have read what does not fit any more */
}

static void call_finish(EtcdCall *call, EtcdOutcome outcome, const HttpResult *result)
{
        _cleanup_(etcd_cancel_p) _unused_ EtcdCall *owned = call;
        _cleanup_free_ char *why = NULL;

        if (outcome != ETCD_DONE && buffer_take_text(&call->why, &why, NULL) < 0)
                why = NULL;
        call->on_reply(
                &(EtcdReply) {
                        .outcome = outcome,
                        .body = outcome == ETCD_DONE ? result->body : NULL,
                        .size = outcome == ETCD_DONE ? result->body_size : 0,
                        .why = why ? why : "",
                        .status = call->status,
                        .cluster_id = outcome == ETCD_DONE && result->wanted ? result->wanted : "",
                },
                call->userdata);
}

/* Did the request never reach etcd? Only then may a write be sent again without looking. */
static bool was_not_sent(const HttpResult *result)
{
        return result->error == -ECONNREFUSED || result->error == -EHOSTUNREACH || result->tls;
}

/* The current endpoint is of no use now: go on with the next one, or give up after the last. */
static void call_fail_over(EtcdCall *call, bool may_be_done)
{
        etcd_rotate(call->etcd);
        if (may_be_done) {
                call_finish(call, ETCD_UNKNOWN, NULL);
                return;
        }

        while (++call->n_tried < call->etcd->settings->endpoints.n_items) {
                int r = call_send(call);
                if (r >= 0)
                        return;
                call_note_why(call, strerror(-r));
                etcd_rotate(call->etcd);
        }
        call_finish(call, ETCD_FAILED, NULL);
}

static void call_resend(EtcdCall *call)
{
        int r = call_send(call);

        if (r < 0) {
                call_note_why(call, strerror(-r));
                call_finish(call, ETCD_FAILED, NULL);
        }
}

/* Returns true when the answer was one about tokens, and the call goes on. */
static bool call_mind_token(EtcdCall *call, const HttpResult *result)
{
        Etcd *etcd = call->etcd;

        if (call->authenticating && result->status == HTTP_OK) {
                call->authenticating = false;
                free(etcd->token);
                etcd->token = NULL;
                if (etcd_token_parse(result->body, result->body_size, &etcd->token) < 0) {
                        call_note_why(call, "the answer to the login has no token");
                        call_finish(call, ETCD_FAILED, NULL);
                } else
                        call_resend(call);
                return true;
        }

        if (result->status == HTTP_UNAUTHORIZED && etcd->settings->user && !call->authenticating
            && !call->reauthenticated) {
                call->reauthenticated = true;
                free(etcd->token);
                etcd->token = NULL;
                call_resend(call);
                return true;
        }

        return false;
}

static void on_call_done(const HttpResult *result, void *userdata)
{
        EtcdCall *call = userdata;
        char why[ETCD_WHY_MAX];

        call->request = NULL;
        call->status = result->error == 0 ? result->status : 0;
        call->etcd->reached |= result->error != -ECONNREFUSED && result->error != -EHOSTUNREACH;
        if (result->error == 0 && !call->method && call_mind_token(call, result))
                return;
        if (result->error == 0
            && (call->method ? etcd_v2_answered(result) : result->status == HTTP_OK)) {
                call_finish(call, ETCD_DONE, result);
                return;
        }

        etcd_failure_text(call->etcd, result, why);
        call_note_why(call, why);
        if (result->error < 0 || result->status >= HTTP_SERVER_ERROR)
                call_fail_over(call, call->write && !call->authenticating && !was_not_sent(result));
        else
                call_finish(call, ETCD_FAILED, NULL); /* 4xx: every member would say the same */
}

static int call_send(EtcdCall *call)
{
        const EtcdSettings *settings = call->etcd->settings;
        _cleanup_free_ char *login = NULL;
        int r;

        if (call->method)
                return etcd_v2_post(call->etcd,
                                    &(EtcdV2Message) {
                                            .method = call->method,
                                            .path = call->path,
                                            .form = call->body,
                                            .wait = call->wait,
                                    },
                                    on_call_done, call, &call->request);

        call->authenticating = settings->user && !call->etcd->token;
        if (call->authenticating) {
                r = etcd_authenticate_build(settings->user, settings->password, &login);
                if (r < 0)
                        return r;
        }

        return etcd_post(call->etcd,
                         &(EtcdPost) {
                                 .path = call->authenticating ? AUTH_PATH : call->path,
                                 .body = call->authenticating ? login : call->body,
                                 .on_done = on_call_done,
                                 .userdata = call,
                         },
                         &call->request);
}

static int call_start(const EtcdCall *template, EtcdCall **ret)
{
        _cleanup_(etcd_cancel_p) EtcdCall *call = calloc(1, sizeof(EtcdCall));
        int r;

        if (!call) {
                free(template->body);
                return -ENOMEM;
        }
        *call = *template;
        call->why = BUFFER_MAX(WHY_MAX);
        call->path = strdup(template->path);
        if (!call->path)
                return -ENOMEM;

        r = call_send(call);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(call);
        return 0;
}

int etcd_call(Etcd *etcd, const char *path, char *body, bool write, EtcdOnReply on_reply,
              void *userdata, EtcdCall **ret)
{
        return call_start(
                &(EtcdCall) {
                        .etcd = etcd,
                        .path = (char *)path, /* copied */
                        .body = body,
                        .write = write,
                        .on_reply = on_reply,
                        .userdata = userdata,
                },
                ret);
}

int etcd_v2_call(Etcd *etcd, const EtcdV2Message *message, EtcdOnReply on_reply, void *userdata,
                 EtcdCall **ret)
{
        _cleanup_free_ char *path = NULL;
        char *form = NULL;
        int r;

        if (message->key) {
                r = etcd_v2_path_build(message->key, message->query ? message->query : "", &path);
                if (r < 0)
                        return r;
        }
        r = text_set(&form, message->form);
        if (r < 0)
                return r;

        return call_start(
                &(EtcdCall) {
                        .etcd = etcd,
                        .path = path ? path : (char *)message->path, /* copied */
                        .body = form,
                        .method = message->method,
                        .write = message->write,
                        .wait = message->wait,
                        .on_reply = on_reply,
                        .userdata = userdata,
                },
                ret);
}

static void on_sent(_unused_ const EtcdReply *reply, void *userdata)
{
        Etcd *etcd = userdata;

        etcd->sent = NULL;
}

void etcd_send(Etcd *etcd, const char *path, char *body)
{
        etcd->sent = etcd_cancel(etcd->sent);
        if (etcd_call(etcd, path, body, true, on_sent, etcd, &etcd->sent) < 0)
                etcd->sent = NULL;
}

void etcd_v2_send(Etcd *etcd, const EtcdV2Message *message)
{
        etcd->sent = etcd_cancel(etcd->sent);
        if (etcd_v2_call(etcd, message, on_sent, etcd, &etcd->sent) < 0)
                etcd->sent = NULL;
}
