#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/text.h"
#include "serve-download.h"
#include "serve-range.h"

#define CHUNKS_PER_SECOND 20 /* often enough to look smooth in a progress bar */
#define CHUNK_MAX         (64 * KIB)

/* A download that keeps a pace. */
struct Download {
        Downloads *owner;
        struct MHD_Connection *connection;
        sd_event_source *timer; /* ends the pause */
        int fd;
        uint64_t offset; /* of the range in the file */
        size_t chunk;    /* the most that is sent at once */
        usec_t next;     /* when more may be sent */
        bool paused;
        LIST_ENTRY(Download) entries;
};

static void download_resume(Download *download)
{
        LIST_REMOVE(download, entries);
        download->paused = false;
        MHD_resume_connection(download->connection);
}

static int on_pause_over(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Download *download = userdata;
        Downloads *owner = download->owner;

        download_resume(download);
        owner->run(owner->userdata); /* may free the download */
        return 0;
}

/* Suspends the connection until more may be sent. */
static int download_pause(Download *download)
{
        int r;

        r = sd_event_source_set_time(download->timer, download->next);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(download->timer, SD_EVENT_ONESHOT);
        if (r < 0)
                return r;

        download->paused = true;
        LIST_INSERT_HEAD(&download->owner->paused, download, entries);
        MHD_suspend_connection(download->connection);
        return 0;
}

static ssize_t on_read(void *userdata, uint64_t position, char *buffer, size_t max)
{
        Download *download = userdata;
        usec_t now = now_boottime();
        size_t n = MIN_OF(max, download->chunk);

        if (now < download->next)
                return download_pause(download) < 0 ? MHD_CONTENT_READER_END_WITH_ERROR : 0;
        if (pread_full(download->fd, buffer, n, download->offset + position) < 0)
                return MHD_CONTENT_READER_END_WITH_ERROR;

        /* Time that was not used is not made up for: the pace is a limit, not an average. */
        download->next = now + n * USEC_PER_SEC / download->owner->rate;
        return (ssize_t)n;
}

static void download_free(void *userdata)
{
        Download *download = userdata;

        if (!download)
                return;
        if (download->paused)
                LIST_REMOVE(download, entries);
        sd_event_source_disable_unref(download->timer);
        (void)close_fd(download->fd);
        free(download);
}

static int download_new(Downloads *owner, struct MHD_Connection *connection, int fd, Range range,
                        Download **ret)
{
        Download *download = malloc(sizeof(Download));
        int r;

        if (!download)
                return -ENOMEM;
        *download = (Download) {
                .owner = owner,
                .connection = connection,
                .fd = -1, /* the caller's until all else went well */
                .offset = range.first,
                .chunk = (size_t)MIN_OF(owner->rate / CHUNKS_PER_SECOND, CHUNK_MAX),
        };

        r = sd_event_add_time(owner->event, &download->timer, CLOCK_BOOTTIME, 0, USEC_PER_MSEC,
                              on_pause_over, download);
        if (r >= 0)
                r = sd_event_source_set_enabled(download->timer, SD_EVENT_OFF);
        if (r < 0) {
                download_free(download);
                return r;
        }

        download->fd = fd;
        *ret = download;
        return 0;
}

/* The body: the range of the file. Takes fd over when it succeeds; NULL: it does not. */
static struct MHD_Response *body_new(Downloads *downloads, struct MHD_Connection *connection,
                                     int fd, Range range)
{
        struct MHD_Response *response;
        Download *download;

        if (downloads->rate == 0)
                return MHD_create_response_from_fd_at_offset64(range.size, fd, range.first);

        if (download_new(downloads, connection, fd, range, &download) < 0)
                return NULL;
        response = MHD_create_response_from_callback(range.size, download->chunk, on_read, download,
                                                     download_free);
        if (!response) {
                download->fd = -1;
                download_free(download);
        }
        return response;
}

static bool add_header(struct MHD_Response *response, const char *name, const char *value)
{
        return MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool add_headers(struct MHD_Response *response, const char *etag, Range range, uint64_t size)
{
        _cleanup_free_ char *content = NULL;
        int n = 0;

        if (range.kind == RANGE_PART)
                n = text_format(&content, "bytes %llu-%llu/%llu", (unsigned long long)range.first,
                                (unsigned long long)(range.first + range.size - 1),
                                (unsigned long long)size);
        else if (range.kind == RANGE_UNSATISFIABLE)
                n = text_format(&content, "bytes */%llu", (unsigned long long)size);
        if (n < 0)
                return false;

        return add_header(response, MHD_HTTP_HEADER_ETAG, etag)
               && add_header(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes")
               && add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/octet-stream")
               && (!content || add_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, content));
}

static Range request_range(struct MHD_Connection *connection, const char *method, const char *etag,
                           uint64_t size)
{
        const char *range =
                MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_RANGE);
        const char *if_range =
                MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_RANGE);

        /* RFC 9110, 14.2: Range means something to GET only. */
        return range_choose(streq(method, MHD_HTTP_METHOD_GET) ? range : NULL, if_range, etag,
                            size);
}

enum MHD_Result download_answer(Downloads *downloads, struct MHD_Connection *connection,
                                const char *method, const CatalogueFile *file, int fd)
{
        static const unsigned statuses[] = {
                [RANGE_WHOLE] = MHD_HTTP_OK,
                [RANGE_PART] = MHD_HTTP_PARTIAL_CONTENT,
                [RANGE_UNSATISFIABLE] = MHD_HTTP_RANGE_NOT_SATISFIABLE,
        };
        _cleanup_close_ int owned = fd;
        _cleanup_free_ char *etag = NULL;
        struct MHD_Response *response;
        enum MHD_Result result = MHD_NO;
        Range range;

        if (text_format(&etag, "\"%s\"", file->sha256) < 0)
                return MHD_NO;

        range = request_range(connection, method, etag, file->size);
        if (range.kind == RANGE_UNSATISFIABLE)
                response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        else {
                response = body_new(downloads, connection, owned, range);
                if (response)
                        TAKE_FD(owned); /* the response closes it */
        }
        if (!response)
                return MHD_NO;

        if (add_headers(response, etag, range, file->size))
                result = MHD_queue_response(connection, statuses[range.kind], response);
        MHD_destroy_response(response);
        return result;
}

void downloads_resume_all(Downloads *downloads)
{
        while (!LIST_EMPTY(&downloads->paused))
                download_resume(LIST_FIRST(&downloads->paused));
}
