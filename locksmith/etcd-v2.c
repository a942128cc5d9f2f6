#include "base/base64.h"
#include "etcd-internal.h"

#define HTTP_OK           200
#define HTTP_CREATED      201
#define HTTP_BAD_REQUEST  400
#define HTTP_UNAUTHORIZED 401
#define HTTP_FORBIDDEN    403
#define HTTP_SERVER_ERROR 500

/* Accounts of v2 have no tokens. */
static int authorization_build(const EtcdSettings *settings, char **ret)
{
        _cleanup_free_ char *plain = NULL, *encoded = NULL;
        int r;

        r = text_format(&plain, "%s:%s", settings->user,
                        settings->password ? settings->password : "");
        if (r >= 0)
                r = base64_encode(plain, strlen(plain), &encoded);
        return r < 0 ? r : text_format(ret, "Authorization: Basic %s", encoded);
}

int etcd_v2_post(Etcd *etcd, const EtcdV2Message *message, HttpOnDone on_done, void *userdata,
                 HttpRequest **ret)
{
        _cleanup_free_ char *url = NULL, *authorization = NULL;
        const char *headers[] = { "Expect:", NULL, NULL };
        int r;

        r = text_format(&url, "%s%s", etcd_endpoint(etcd), message->path);
        if (r >= 0 && etcd->settings->user)
                r = authorization_build(etcd->settings, &authorization);
        if (r < 0)
                return r;
        headers[1] = authorization;

        /* Very old members send to their leader with a redirect. */
        return http_start(etcd->http,
                          &(HttpParameters) {
                                  .url = url,
                                  .method = message->method,
                                  .body = message->form,
                                  .body_size = message->form ? strlen(message->form) : 0,
                                  .headers = headers,
                                  .wanted_header = "X-Etcd-Cluster-Id",
                                  .size_max = ETCD_REPLY_MAX,
                                  .connect_timeout = ETCD_CONNECT_TIMEOUT,
                                  .total_timeout = message->wait ? 0 : ETCD_TOTAL_TIMEOUT,
                                  .may_idle = message->wait,
                                  .ca_file = etcd->settings->ca_file,
                                  .certificate_file = etcd->settings->certificate_file,
                                  .key_file = etcd->settings->key_file,
                                  .on_done = on_done,
                                  .userdata = userdata,
                          },
                          ret);
}

bool etcd_v2_answered(const HttpResult *result)
{
        if (result->status == HTTP_OK || result->status == HTTP_CREATED)
                return true;

        /* "No" is an answer, if it is etcd who says it: a page of text is not. */
        return result->status >= HTTP_BAD_REQUEST && result->status < HTTP_SERVER_ERROR
               && result->status != HTTP_UNAUTHORIZED && result->status != HTTP_FORBIDDEN
               && result->body_size > 0 && *result->body == '{';
}

static const struct {
        const char *v2_path, *v3_path;
} questions[_ETCD_QUESTION_MAX] = {
        [ETCD_ASK_STATUS] = { "/v2/stats/self", "/v3/maintenance/status" },
        [ETCD_ASK_MEMBERS] = { "/v2/members", "/v3/cluster/member/list" },
        [ETCD_ASK_HEALTH] = { "/health", NULL },
};

int etcd_ask(Etcd *etcd, EtcdQuestion question, EtcdOnReply on_reply, void *userdata,
             EtcdCall **ret)
{
        char *body;

        assert(etcd->api == ETCD_API_V2 || questions[question].v3_path);
        if (etcd->api == ETCD_API_V2)
                return etcd_v2_call(
                        etcd,
                        &(EtcdV2Message) { .method = "GET", .path = questions[question].v2_path },
                        on_reply, userdata, ret);

        body = strdup("{}");
        if (!body)
                return -ENOMEM;
        return etcd_call(etcd, questions[question].v3_path, body, false, on_reply, userdata, ret);
}

int etcd_read_status(const Etcd *etcd, const EtcdReply *reply, EtcdStatus *ret)
{
        return etcd->api == ETCD_API_V2 ? etcd_v2_status_parse(reply->body, reply->size, ret)
                                        : etcd_status_parse(reply->body, reply->size, ret);
}

int etcd_read_members(const Etcd *etcd, const EtcdReply *reply, EtcdMembers *ret)
{
        return etcd->api == ETCD_API_V2 ? etcd_v2_members_parse(reply->body, reply->size, ret)
                                        : etcd_members_parse(reply->body, reply->size, ret);
}

bool etcd_read_health(const EtcdReply *reply)
{
        return reply->outcome == ETCD_DONE && etcd_v2_health_parse(reply->body, reply->size);
}
