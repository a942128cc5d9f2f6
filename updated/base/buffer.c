#include <stdarg.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/text.h"

/* Makes room for size more bytes and a NUL. */
static int buffer_reserve(Buffer *buffer, size_t size)
{
        size_t need, capacity;
        char *data;

        if (size > buffer->max || buffer->size > buffer->max - size)
                return -EFBIG;
        if (!add_size(buffer->size + size, 1, &need))
                return -EFBIG;
        if (need <= buffer->capacity)
                return 0;

        capacity = MAX_OF(need, buffer->capacity + buffer->capacity / 2);
        capacity = MAX_OF(capacity, (size_t)256);
        data = realloc(buffer->data, capacity);
        if (!data)
                return -ENOMEM;

        buffer->data = data;
        buffer->capacity = capacity;
        return 0;
}

int buffer_append(Buffer *buffer, const void *data, size_t size)
{
        int r;

        r = buffer_reserve(buffer, size);
        if (r < 0)
                return r;

        if (size > 0)
                memcpy(buffer->data + buffer->size, data, size);
        buffer->size += size;
        return 0;
}

int buffer_append_text(Buffer *buffer, const char *text)
{
        return buffer_append(buffer, text, strlen(text));
}

int buffer_appendf(Buffer *buffer, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = text_vformat(&text, format, arguments);
        va_end(arguments);
        return r < 0 ? r : buffer_append_text(buffer, text);
}

int buffer_append_json(Buffer *buffer, const char *text)
{
        int r = buffer_append_text(buffer, "\"");

        for (const char *p = text; *p && r >= 0; p++)
                if (*p == '"' || *p == '\\')
                        r = buffer_appendf(buffer, "\\%c", *p);
                else if (*p == '\n')
                        r = buffer_append_text(buffer, "\\n");
                else if (*p == '\r')
                        r = buffer_append_text(buffer, "\\r");
                else if (*p == '\t')
                        r = buffer_append_text(buffer, "\\t");
                else if ((unsigned char)*p < ' ' || strchr("<>&", *p))
                        r = buffer_appendf(buffer, "\\u%04x", (unsigned)*p);
                else if (after_prefix(p, "\xe2\x80\xa8") || after_prefix(p, "\xe2\x80\xa9")) {
                        r = buffer_append_text(buffer, p[2] == '\xa8' ? "\\u2028" : "\\u2029");
                        p += 2;
                } else
                        r = buffer_append(buffer, p, 1);

        return r < 0 ? r : buffer_append_text(buffer, "\"");
}

int buffer_take_text(Buffer *buffer, char **ret, size_t *ret_size)
{
        int r;

        r = buffer_reserve(buffer, 0);
        if (r < 0)
                return r;

        buffer->data[buffer->size] = 0;
        if (ret_size)
                *ret_size = buffer->size;
        *ret = TAKE_PTR(buffer->data);
        buffer_done(buffer);
        return 0;
}

void buffer_done(Buffer *buffer)
{
        free(buffer->data);
        *buffer = BUFFER_MAX(buffer->max);
}
