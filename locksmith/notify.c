#include "notify.h"
#include "base/log.h"

static const char *const event_words[_NOTIFY_EVENT_MAX] = {
        [NOTIFY_START] = "start",
        [NOTIFY_BACK] = "back",
        [NOTIFY_LATE] = "late",
};

static void on_line(const char *line, _unused_ void *userdata)
{
        log_info("%s", line);
}

int notify_start(sd_event *event, const NotifyRequest *request, Hooks **ret)
{
        const char *const values[][2] = {
                { "SLUICE_EVENT", event_words[request->event] },
                { "SLUICE_GROUP", request->settings->group },
                { "SLUICE_TO_VERSION", request->version },
                { "SLUICE_REASON", request->reason },
        };
        _cleanup_(text_list_done) TextList environment = {};
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(values) && r >= 0; i++) {
                _cleanup_free_ char *variable = NULL;

                r = text_format(&variable, "%s=%s", values[i][0], values[i][1] ? values[i][1] : "");
                if (r >= 0)
                        r = text_list_add(&environment, variable);
        }
        if (r < 0)
                return r;

        return hooks_start(event,
                           &(HooksRequest) {
                                   .root = request->settings->root,
                                   .directory = NOTIFY_DIRECTORY,
                                   .environment = (const char *const *)environment.items,
                                   .time_limit = NOTIFY_TIME,
                                   .on_line = on_line,
                                   .on_done = request->on_done,
                                   .userdata = request->userdata,
                           },
                           ret);
}
