#include "base/buffer.h"
#include "etcd-internal.h"

struct EtcdWatch {
        Etcd *etcd;
        HttpRequest *request;
        Buffer bytes;       /* the line that is not complete yet */
        EtcdWatchLine line; /* what ended the watch */
        bool ended;
        EtcdOnChange on_change;
        void *userdata;
};

EtcdWatch *etcd_watch_cancel(EtcdWatch *watch)
{
        if (!watch)
                return NULL;

        if (watch->request)
                http_cancel(watch->request);
        buffer_done(&watch->bytes);
        etcd_watch_line_done(&watch->line);
        free(watch);
        return NULL;
}
DEFINE_CLEANUP(EtcdWatch *, etcd_watch_cancel);

/* Returns -ECANCELED when this line ends the watch. */
static int watch_take_line(EtcdWatch *watch, const char *text, size_t size)
{
        _cleanup_(etcd_watch_line_done) EtcdWatchLine line = {};
        int r;

        r = etcd_watch_line_parse(text, size, &line);
        if (r < 0)
                return r;
        if (!line.changed && !line.canceled)
                return 0;

        watch->line = line;
        line = (EtcdWatchLine) {};
        watch->ended = true;
        return -ECANCELED;
}

/* Lines come in pieces that have nothing to do with their ends. */
static int on_watch_data(_unused_ const HttpResult *head, const void *data, size_t size,
                         void *userdata)
{
        EtcdWatch *watch = userdata;
        const char *text, *end;
        int r;

        r = buffer_append(&watch->bytes, data, size);
        if (r < 0)
                return r;

        text = watch->bytes.data;
        while ((end = memchr(text, '\n', watch->bytes.size))) {
                size_t length = (size_t)(end - text);

                r = watch_take_line(watch, text, length);
                if (r < 0)
                        return r;
                watch->bytes.size -= length + 1;
                memmove(watch->bytes.data, end + 1, watch->bytes.size);
        }

        return 0;
}

static void on_watch_done(const HttpResult *result, void *userdata)
{
        _cleanup_(etcd_watch_cancel_p) EtcdWatch *watch = userdata;
        char why[ETCD_WHY_MAX];

        watch->request = NULL;
        if (watch->ended) {
                watch->on_change(&watch->line, watch->line.why, watch->userdata);
                return;
        }

        etcd_failure_text(watch->etcd, result, why);
        if (result->error == -EBADMSG)
                watch->on_change(NULL, "the answer is none of etcd to a watch", watch->userdata);
        else
                watch->on_change(NULL, why, watch->userdata);
}

int etcd_watch(Etcd *etcd, const EtcdWatchRequest *request, EtcdOnChange on_change, void *userdata,
               EtcdWatch **ret)
{
        _cleanup_(etcd_watch_cancel_p) EtcdWatch *watch = calloc(1, sizeof(EtcdWatch));
        _cleanup_free_ char *body = NULL;
        int r;

        if (!watch)
                return -ENOMEM;
        *watch = (EtcdWatch) {
                .etcd = etcd,
                .bytes = BUFFER_MAX(ETCD_REPLY_MAX),
                .on_change = on_change,
                .userdata = userdata,
        };

        r = etcd_watch_build(request->key, request->end, request->start_revision, &body);
        if (r < 0)
                return r;
        r = etcd_post(etcd,
                      &(EtcdPost) {
                              .path = "/v3/watch",
                              .body = body,
                              .on_data = on_watch_data,
                              .on_done = on_watch_done,
                              .userdata = watch,
                      },
                      &watch->request);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(watch);
        return 0;
}
