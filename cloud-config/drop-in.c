#include "cloud-config/drop-in.h"
#include "base/buffer.h"

/* All values at their longest, every byte escaped. */
#define DROP_IN_MAX ((size_t)_KEY_MAX * (2 * VALUE_MAX + 64))

/* systemd takes \\ and \" inside quotes, and %% for a percent sign, which begins a specifier otherwise. */
static int value_append(Buffer *buffer, const char *value)
{
        int r = 0;

        for (const char *p = value; *p && r >= 0; p++) {
                if (*p == '\\' || *p == '"')
                        r = buffer_append_text(buffer, "\\");
                if (*p == '%')
                        r = buffer_append_text(buffer, "%");
                if (r >= 0)
                        r = buffer_append(buffer, p, 1);
        }

        return r;
}

static int variable_append(Buffer *buffer, const char *variable, const char *value)
{
        int r;

        r = buffer_appendf(buffer, "%sEnvironment=\"%s=", buffer->size == 0 ? "[Service]\n" : "",
                           variable);
        if (r < 0)
                return r;
        r = value_append(buffer, value);
        if (r < 0)
                return r;

        return buffer_append_text(buffer, "\"\n");
}

int drop_in_render(const Settings *settings, char **ret, bool *ret_secret)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(DROP_IN_MAX);
        bool secret = false;
        char *text = NULL;
        int r;

        for (size_t i = 0; i < _KEY_MAX; i++) {
                const char *value = settings->items[i].value;

                if (keys[i].output != OUTPUT_DROP_IN || !value)
                        continue;
                secret |= keys[i].secret;
                r = variable_append(&buffer, keys[i].variable, value);
                if (r < 0)
                        return r;
        }
        if (buffer.size > 0) {
                r = buffer_take_text(&buffer, &text, NULL);
                if (r < 0)
                        return r;
        }

        *ret = text;
        *ret_secret = secret;
        return 0;
}
