/*
 * A growing byte buffer that is born with its maximum: nothing from outside can make it larger.
 */
#pragma once

#include <stddef.h>

#include "base/macros.h"

typedef struct Buffer {
        char *data;      /* owned; NULL while empty */
        size_t size;     /* bytes in use */
        size_t capacity; /* bytes allocated */
        size_t max;      /* size never exceeds this */
} Buffer;

#define BUFFER_MAX(_max)      \
        (Buffer)              \
        {                     \
                .max = (_max) \
        }

/* Appends size bytes. -EFBIG when the maximum would be exceeded, -ENOMEM; then nothing was appended. */
int buffer_append(Buffer *buffer, const void *data, size_t size) _must_check_;

/* Appends a text without its NUL. */
int buffer_append_text(Buffer *buffer, const char *text) _must_check_;

/* Appends formatted text. */
int buffer_appendf(Buffer *buffer, const char *format, ...) _must_check_ _printf_(2, 3);

/*
 * Appends a text as a string of JSON, as Go writes them: what could end a script element in HTML is escaped,
 * too. The text has to be UTF-8. What was appended before an error stays.
 */
int buffer_append_json(Buffer *buffer, const char *text) _must_check_;

/*
 * Hands the content over as NUL-terminated text, which the caller frees; the buffer is empty then.
 * An empty buffer gives "". ret_size may be NULL.
 */
int buffer_take_text(Buffer *buffer, char **ret, size_t *ret_size) _must_check_;

/* Frees the content; the buffer can be used again. */
void buffer_done(Buffer *buffer);
