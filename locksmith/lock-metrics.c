#include "lock-metrics.h"
#include "base/metrics-text.h"

#define PREFIX "sluice_reboot_"

static int print_info(Buffer *text, const LockMetrics *metrics)
{
        const char *const labels[][2] = {
                { "strategy", metrics->strategy },
                { "group", metrics->group },
                { "state", metrics->state },
        };
        int r;

        r = metrics_head(text, PREFIX "info", "gauge",
                         "Strategy and group, and what locksmithd does.");
        if (r >= 0)
                r = buffer_append_text(text, PREFIX "info{");
        for (size_t i = 0; i < ELEMENTSOF(labels) && r >= 0; i++) {
                r = i > 0 ? buffer_append_text(text, ",") : 0;
                if (r >= 0)
                        r = metrics_label(text, labels[i][0], labels[i][1]);
        }
        return r < 0 ? r : buffer_append_text(text, "} 1\n");
}

static int print_requests(Buffer *text, const LockMetrics *metrics)
{
        int r;

        r = metrics_head(text, PREFIX "requests_total", "counter",
                         "Reboots asked for since the daemon started, by answer.");
        return r < 0 ? r
                     : buffer_appendf(text,
                                      PREFIX "requests_total{answer=\"accepted\"} %llu\n" PREFIX
                                             "requests_total{answer=\"refused\"} %llu\n",
                                      (unsigned long long)metrics->n_asked,
                                      (unsigned long long)metrics->n_refused);
}

int lock_metrics_print(const LockMetrics *metrics, char **ret)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_MAX(METRICS_TEXT_MAX);
        int r;

        r = print_info(&text, metrics);
        if (r >= 0)
                r = metrics_gauge(&text, PREFIX "due", "An update waits for a reboot.",
                                  metrics->due);
        if (r >= 0)
                r = metrics_time(&text, PREFIX "due_since_timestamp_seconds", "Since when.",
                                 metrics->due_since);
        if (r >= 0)
                r = metrics_gauge(&text, PREFIX "window_open",
                                  "A reboot is allowed at this time, and there is room for it.",
                                  metrics->window_open);
        if (r >= 0)
                r = metrics_gauge(&text, PREFIX "lock_held", "This host has the lock.",
                                  metrics->lock_held);
        if (r >= 0 && metrics->took > 0)
                r = metrics_gauge(&text, PREFIX "last_duration_seconds",
                                  "How long the last reboot took.", metrics->took);
        if (r >= 0)
                r = print_requests(&text, metrics);
        return r < 0 ? r : buffer_take_text(&text, ret, NULL);
}
