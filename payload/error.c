#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
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
        char *text = NULL;

        va_start(arguments, format);
        (void)text_vformat(&text, format, arguments); /* an error without text is one, too */
        va_end(arguments);

        error_set(error, refusal, text);
        return -EBADMSG;
}

int payload_fail(PayloadError *error, PayloadRefusal refusal, int code, const char *format, ...)
{
        _cleanup_free_ char *what = NULL;
        va_list arguments;
        char *text = NULL;

        va_start(arguments, format);
        (void)text_vformat(&what, format, arguments);
        va_end(arguments);

        (void)text_format(&text, "%s: %s", what ? what : "failed", strerrordesc_np(-code));
        error_set(error, refusal, text);
        return code;
}

void payload_error_locate(PayloadError *error, const char *format, ...)
{
        _cleanup_free_ char *where = NULL;
        va_list arguments;
        char *text;

        va_start(arguments, format);
        (void)text_vformat(&where, format, arguments);
        va_end(arguments);

        if (!where || !error || !error->text
            || text_format(&text, "%s: %s", where, error->text) < 0)
                return;
        free(error->text);
        error->text = text;
}
