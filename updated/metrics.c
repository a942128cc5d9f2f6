#include "metrics.h"
#include "base/buffer.h"
#include "base/io.h"

#define METRICS_MAX  (64 * KIB)
#define METRICS_MODE 0644 /* another user collects it */
#define PREFIX       "sluice_update_"

static int print_head(Buffer *text, const char *name, const char *type, const char *help)
{
        return buffer_appendf(text, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help,
                              name, type);
}

static int print_time(Buffer *text, const char *name, const char *help, uint64_t time)
{
        int r;

        if (time == 0)
                return 0; /* 1970 would be a lie that looks like an alarm */
        r = print_head(text, name, "gauge", help);
        return r < 0 ? r : buffer_appendf(text, PREFIX "%s %llu\n", name, (unsigned long long)time);
}

/* A label's value: backslash, quote and newline are written with a backslash. */
static int print_label(Buffer *text, const char *name, const char *value)
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

static int print_info(Buffer *text, const Metrics *metrics)
{
        int r;

        r = print_head(text, "info", "gauge",
                       "Version that runs, and version that waits for a reboot.");
        if (r >= 0)
                r = buffer_append_text(text, PREFIX "info{");
        if (r >= 0)
                r = print_label(text, "version", metrics->version);
        if (r >= 0)
                r = buffer_append_text(text, ",");
        if (r >= 0)
                r = print_label(text, "staged", metrics->staged);
        return r < 0 ? r : buffer_append_text(text, "} 1\n");
}

static int print_failures(Buffer *text, const Metrics *metrics)
{
        int r;

        r = print_head(text, "failures_total", "counter",
                       "Attempts that failed since the daemon started, by cause.");
        for (int i = UPDATE_ERROR_NONE + 1; i < _UPDATE_ERROR_MAX && r >= 0; i++)
                if (metrics->failures[i] > 0)
                        r = buffer_appendf(text, PREFIX "failures_total{cause=\"%s\"} %llu\n",
                                           update_error_to_string((UpdateErrorCode)i),
                                           (unsigned long long)metrics->failures[i]);
        return r;
}

int metrics_print(const Metrics *metrics, char **ret)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_MAX(METRICS_MAX);
        int r;

        r = print_info(&text, metrics);
        if (r >= 0)
                r = print_time(&text, "last_check_timestamp_seconds",
                               "When the update server answered last.", metrics->last_check);
        if (r >= 0)
                r = print_time(&text, "last_success_timestamp_seconds",
                               "When an attempt ended last without failure.",
                               metrics->last_success);
        if (r >= 0)
                r = print_failures(&text, metrics);
        return r < 0 ? r : buffer_take_text(&text, ret, NULL);
}

int metrics_write(const Metrics *metrics, const char *root, const char *path)
{
        _cleanup_free_ char *text = NULL;
        int r;

        r = metrics_print(metrics, &text);
        return r < 0 ? r : file_replace(root, path, text, strlen(text), METRICS_MODE);
}
