#include <stdarg.h>
#include <stdio.h>

#include "base/http-reply.h"
#include "base/text.h"

int reply_text(Reply *reply, unsigned status, const char *format, ...)
{
        _cleanup_free_ char *line = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = text_vformat(&line, format, arguments);
        va_end(arguments);
        if (r >= 0)
                r = text_format(&reply->body, "%s\n", line);
        if (r < 0)
                return r;

        reply->size = strlen(reply->body);
        reply->status = status;
        reply->type = "text/plain; charset=utf-8";
        return 0;
}

enum MHD_Result reply_queue(Reply *reply, struct MHD_Connection *connection)
{
        struct MHD_Response *response =
                MHD_create_response_from_buffer(reply->size, reply->body, MHD_RESPMEM_MUST_COPY);
        enum MHD_Result result;

        if (!response)
                return MHD_NO;

        result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
        if (result == MHD_YES && reply->allow)
                result = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, reply->allow);
        if (result == MHD_YES)
                result = MHD_queue_response(connection, reply->status, response);
        MHD_destroy_response(response);
        return result;
}

void reply_done(Reply *reply)
{
        free(reply->body);
        *reply = (Reply) {};
}
