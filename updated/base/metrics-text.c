#include "base/metrics-text.h"
#include "base/io.h"

#define METRICS_MODE 0644 /* another user collects it */

int metrics_head(Buffer *text, const char *name, const char *type, const char *help)
{
        return buffer_appendf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

int metrics_gauge(Buffer *text, const char *name, const char *help, uint64_t value)
{
        int r;

        r = metrics_head(text, name, "gauge", help);
        return r < 0 ? r : buffer_appendf(text, "%s %llu\n", name, (unsigned long long)value);
}

int metrics_time(Buffer *text, const char *name, const char *help, uint64_t time)
{
        return time == 0 ? 0 : metrics_gauge(text, name, help, time);
}

/* Backslash, quote and newline are written with a backslash. */
int metrics_label(Buffer *text, const char *name, const char *value)
{
        int r;

        r = buffer_appendf(text, "%s=\"", name);
        for (const char *p = value; *p && r >= 0; p++) {
                if (*p == '\n')
                        r = buffer_append_text(text, "\\n");
                else
                        r = buffer_appendf(text, "%s%c", *p == '\\' || *p == '"' ? "\\" : "", *p);
        }
        return r < 0 ? r : buffer_append_text(text, "\"");
}

int metrics_file_write(const char *root, const char *path, const char *text)
{
        return file_replace(root, path, text, strlen(text), METRICS_MODE);
}
