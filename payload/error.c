#include <stdarg.h>
#include <stdio.h>

#include "payload/error.h"

void payload_error_done(PayloadError *error)
{
        free(error->text);
        *error = (PayloadError) {};
}

/* A text that could not be allocated is NULL: the refusal still tells what happened. */
static void error_set(PayloadError *error, PayloadRefusal refusal, char *text)
{
        if (!error) {
                free(text);
                return;
        }

        payload_error_done(error);
        *error = (PayloadError) { .refusal = refusal, .text = text };
}

int payload_refuse(PayloadError *error, PayloadRefusal refusal, const char *format, ...)
{
        va_list arguments;
        char *text;

        va_start(arguments, format);
        if (vasprintf(&text, format, arguments) < 0)
                text = NULL;
        va_end(arguments);

        error_set(error, refusal, text);
        return -EBADMSG;
}

int payload_fail(PayloadError *error, PayloadRefusal refusal, int code, const char *format, ...)
{
        _cleanup_free_ char *what = NULL;
        va_list arguments;
        char *text;

        va_start(arguments, format);
        if (vasprintf(&what, format, arguments) < 0)
                what = NULL;
        va_end(arguments);

        if (asprintf(&text, "%s: %s", what ? what : "failed", strerrordesc_np(-code)) < 0)
                text = NULL;
        error_set(error, refusal, text);
        return code;
}

void payload_error_locate(PayloadError *error, const char *format, ...)
{
        _cleanup_free_ char *where = NULL;
        va_list arguments;
        char *text;

        va_start(arguments, format);
        if (vasprintf(&where, format, arguments) < 0)
                where = NULL;
        va_end(arguments);

        if (!where || !error || !error->text || asprintf(&text, "%s: %s", where, error->text) < 0)
                return;
        free(error->text);
        error->text = text;
}
