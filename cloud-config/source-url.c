#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "base/http.h"
#include "base/text.h"
#include "cloud-config/source-url.h"
#include "cloud-config/user-data.h"
#include "version.h"

#define HTTP_OK_FIRST     200
#define HTTP_OK_LAST      299
#define HTTP_SERVER_ERROR 500

/* One try. */
typedef struct Transfer {
        sd_event *event; /* borrowed: left when the transfer is done */
        Source *source;
        char *why; /* owned: what went wrong */
        int r;     /* 0, -EAGAIN when it is worth another try, or the error */
} Transfer;

bool url_is_remote(const char *text)
{
        return strncasecmp(text, "http://", strlen("http://")) == 0
               || strncasecmp(text, "https://", strlen("https://")) == 0;
}

/* Errors that another try can not mend. */
static bool is_final(int error)
{
        return error == -EFBIG || error == -EINVAL || error == -ELOOP || error == -ENOMEM
               || error == -EPROTONOSUPPORT;
}

static int result_judge(const HttpResult *result)
{
        if (is_final(result->error))
                return result->error;
        if (result->error < 0 || result->status >= HTTP_SERVER_ERROR)
                return -EAGAIN;
        if (result->status >= HTTP_OK_FIRST && result->status <= HTTP_OK_LAST)
                return 0;
        return -ENOENT;
}

static int transfer_explain(Transfer *transfer, const HttpResult *result)
{
        const char *name = transfer->source->name;
        if (transfer->r == -EFBIG)
                return text_format(&transfer->why, "%s: it is larger than 1 MiB", name);
        if (result->error < 0)
                return text_format(&transfer->why, "%s: %s", name,
                                   is_empty(result->detail) ? strerror(-result->error)
                                                            : result->detail);
        return text_format(&transfer->why, "%s: the server answered %ld", name, result->status);
}

static void on_done(const HttpResult *result, void *userdata)
{
        Transfer *transfer = userdata;
        int r = 0;

        transfer->r = result_judge(result);
        if (transfer->r < 0)
                r = transfer_explain(transfer, result);
        else {
                transfer->source->size = result->body_size;
                transfer->source->data = malloc(result->body_size + 1);
                if (transfer->source->data)
                        memcpy(transfer->source->data, result->body, result->body_size + 1);
                else
                        r = -ENOMEM;
        }
        if (r < 0)
                transfer->r = r;
        (void)sd_event_exit(transfer->event, 0); /* fails only for a loop that has ended */
}

/* Runs one transfer to its end. *ret_why replaces the reason of an earlier try. */
static int transfer_run(const char *url, Source *source, char **ret_why)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(http_free_p) Http *http = NULL;
        Transfer transfer = { .source = source };
        const HttpParameters parameters = {
                .url = url,
                .size_max = USER_DATA_MAX,
                .total_timeout = SOURCE_URL_TIMEOUT,
                .user_agent = "sluice-cloud-config/" SLUICE_VERSION,
                .on_done = on_done,
                .userdata = &transfer,
        };
        int r;

        r = sd_event_new(&event);
        if (r >= 0)
                r = http_new(event, &http);
        if (r < 0)
                return r;

        transfer.event = event;
        r = http_start(http, &parameters, NULL);
        if (r >= 0)
                r = sd_event_loop(event);
        if (r < 0) {
                free(transfer.why);
                return r;
        }

        free(*ret_why);
        *ret_why = transfer.why;
        return transfer.r;
}

static void pause_for(usec_t span)
{
        struct timespec t = {
                .tv_sec = (time_t)(span / USEC_PER_SEC),
                .tv_nsec = (long)(span % USEC_PER_SEC) * 1000,
        };

        (void)nanosleep(&t, NULL); /* woken early, the next try is early */
}

int source_fetch(const char *url, Source *ret, char **ret_why)
{
        _cleanup_(source_done) Source source = {};
        usec_t pause = SOURCE_URL_BACKOFF_FIRST;
        int r;

        *ret_why = NULL;
        r = http_url_for_log(url, &source.name);
        if (r < 0)
                return r;

        r = transfer_run(url, &source, ret_why);
        for (unsigned i = 1; i < SOURCE_URL_TRIES && r == -EAGAIN; i++) {
                pause_for(pause);
                pause = MIN_OF(2 * pause, SOURCE_URL_BACKOFF_LAST);
                r = transfer_run(url, &source, ret_why);
        }
        if (r < 0)
                return r == -EAGAIN ? -EHOSTUNREACH : r;

        *ret = source;
        source = (Source) {};
        return 0;
}
