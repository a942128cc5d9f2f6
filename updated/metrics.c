#include "metrics.h"
#include "base/metrics-text.h"

#define PREFIX "sluice_update_"

static int print_info(Buffer *text, const Metrics *metrics)
{
        int r;

        r = metrics_head(text, PREFIX "info", "gauge",
                         "Version that runs, and version that waits for a reboot.");
        if (r >= 0)
                r = buffer_append_text(text, PREFIX "info{");
        if (r >= 0)
                r = metrics_label(text, "version", metrics->version);
        if (r >= 0)
                r = buffer_append_text(text, ",");
        if (r >= 0)
                r = metrics_label(text, "staged", metrics->staged);
        return r < 0 ? r : buffer_append_text(text, "} 1\n");
}

static int print_failures(Buffer *text, const Metrics *metrics)
{
        int r;

        r = metrics_head(text, PREFIX "failures_total", "counter",
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
        _cleanup_(buffer_done) Buffer text = BUFFER_MAX(METRICS_TEXT_MAX);
        int r;

        r = print_info(&text, metrics);
        if (r >= 0)
                r = metrics_time(&text, PREFIX "last_check_timestamp_seconds",
                                 "When the update server answered last.", metrics->last_check);
        if (r >= 0)
                r = metrics_time(&text, PREFIX "last_success_timestamp_seconds",
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
        return r < 0 ? r : metrics_file_write(root, path, text);
}
