#include <zlib.h>

#include "base/buffer.h"
#include "cloud-config/gzip.h"

/* 15 bits of window, and only the gzip format. */
#define GZIP_WINDOW_BITS (15 + 16)

bool gzip_detect(const char *data, size_t size)
{
        return size >= 2 && memcmp(data, "\x1f\x8b", 2) == 0;
}

static void stream_done(z_stream *stream)
{
        (void)inflateEnd(stream); /* fails only for a stream that was never begun */
}

/* Runs the stream dry into buffer. Returns 0, or -EBADMSG with *ret_why, or -ENOMEM. */
static int stream_run(z_stream *stream, Buffer *buffer, const char **ret_why)
{
        char chunk[16384];
        int code, r;

        do {
                stream->next_out = (Bytef *)chunk;
                stream->avail_out = sizeof(chunk);
                code = inflate(stream, Z_NO_FLUSH);
                if (code == Z_MEM_ERROR)
                        return -ENOMEM;
                if (code != Z_OK && code != Z_STREAM_END) {
                        *ret_why = code == Z_BUF_ERROR ? "the compressed document is cut off"
                                                       : "the compressed document is damaged";
                        return -EBADMSG;
                }

                r = buffer_append(buffer, chunk, sizeof(chunk) - stream->avail_out);
                if (r == -EFBIG) {
                        *ret_why = "the document is larger than 1 MiB when decompressed";
                        return -EBADMSG;
                }
                if (r < 0)
                        return r;
        } while (code != Z_STREAM_END);

        if (stream->avail_in == 0)
                return 0;
        *ret_why = "there is something behind the compressed document";
        return -EBADMSG;
}

int gzip_inflate(const char *data, size_t size, size_t max, Place place, Findings *findings,
                 char **ret, size_t *ret_size)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(max);
        _cleanup_(stream_done) z_stream stream = {};
        const char *why = NULL;
        int r;

        if (size > UINT32_MAX)
                return -EFBIG;
        if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK)
                return -ENOMEM;

        stream.next_in = (z_const Bytef *)data;
        stream.avail_in = (uInt)size;
        r = stream_run(&stream, &buffer, &why);
        if (r == -EBADMSG)
                finding_add(findings, SEVERITY_ERROR, place, NULL, NULL, "%s", why);
        if (r < 0)
                return r;

        return buffer_take_text(&buffer, ret, ret_size);
}
