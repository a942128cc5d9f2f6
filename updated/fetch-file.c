#include "fetch-file.h"
#include "base/io.h"

struct FetchFile {
        sd_event_source *source;
        int fd;
        uint64_t offset, size;
        char *chunk;
        FetchSink sink;
        UpdateFailure failure;
        FetchOnEnd on_end;
        void *userdata;
};

/* Takes one piece. Returns 1 when there is more, 0 at the end, or -errno with failure filled. */
static int fetch_file_step(FetchFile *file)
{
        size_t n = (size_t)MIN_OF(file->size - file->offset, (uint64_t)FETCH_FILE_CHUNK);
        int r;

        r = file->offset == 0 ? file->sink.begin(file->sink.userdata, &file->failure) : 0;
        if (r < 0)
                return r;
        if (n == 0)
                return file->sink.finish(file->sink.userdata, &file->failure);

        r = pread_full(file->fd, file->chunk, n, file->offset);
        if (r == -ENODATA)
                return update_failure_set(&file->failure, r, UPDATE_ERROR_PAYLOAD_SIZE,
                                          "the payload became shorter while it was read");
        if (r < 0)
                return update_failure_set(&file->failure, r, UPDATE_ERROR_TRANSFER,
                                          "reading the payload: %s", strerror(-r));
        file->offset += n;
        r = file->sink.push(file->chunk, n, file->sink.userdata, &file->failure);
        return r < 0 ? r : 1;
}

static int on_turn(sd_event_source *source, void *userdata)
{
        FetchFile *file = userdata;
        int r = fetch_file_step(file);

        if (r > 0)
                return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        file->on_end(r, &file->failure, file->userdata);
        return 0;
}

int fetch_file_new(sd_event *event, int fd, uint64_t size, const FetchSink *sink, FetchOnEnd on_end,
                   void *userdata, FetchFile **ret)
{
        _cleanup_(fetch_file_free_p) FetchFile *file = calloc(1, sizeof(FetchFile));
        int r;

        if (!file)
                return -ENOMEM;

        *file = (FetchFile) {
                .fd = fd,
                .size = size,
                .sink = *sink,
                .on_end = on_end,
                .userdata = userdata,
                .chunk = malloc(FETCH_FILE_CHUNK),
        };
        if (!file->chunk)
                return -ENOMEM;
        r = sd_event_add_defer(event, &file->source, on_turn, file);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(file);
        return 0;
}

FetchFile *fetch_file_free(FetchFile *file)
{
        if (!file)
                return NULL;

        sd_event_source_disable_unref(file->source);
        update_failure_done(&file->failure);
        free(file->chunk);
        free(file);
        return NULL;
}
