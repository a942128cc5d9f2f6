#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buffer.h"
#include "base/io.h"
#include "base/text.h"
#include "serve-log.h"

/* One request gives at most so much: 16 apps of 17 records. */
#define RECORDS_SIZE_MAX ((size_t)(1 * MIB))

const char *client_log_time(usec_t time, char buffer[static CLIENT_LOG_TIME_MAX])
{
        time_t seconds = (time_t)(time / USEC_PER_SEC);
        struct tm tm;

        if (!gmtime_r(&seconds, &tm)
            || strftime(buffer, CLIENT_LOG_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
                buffer[0] = 0;
        return buffer;
}

/* Appends a record as a line and lets go of it; record may be NULL: there was no memory for it. */
static int append_record(Buffer *buffer, json_t *record)
{
        _cleanup_free_ char *text = NULL;
        int r;

        if (!record)
                return -ENOMEM;
        text = json_dumps(record, JSON_COMPACT | JSON_ENSURE_ASCII);
        json_decref(record);
        if (!text)
                return -ENOMEM;

        r = buffer_append_text(buffer, text);
        if (r < 0)
                return r;
        return buffer_append_text(buffer, "\n");
}

static json_t *record_new(const RequestApp *app, const char *time, const char *what)
{
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "time", time, "machine",
                         app->machine_id, "appid", app->appid, "board", app->board, "channel",
                         app->track, "version", app->version, "what", what);
}

static int append_check(Buffer *buffer, const RequestApp *app, const Answer *answer,
                        const char *time)
{
        const char *told = answer->offer || streq(answer->app_status, "ok") ? answer->check_status
                                                                            : answer->app_status;
        json_t *record = record_new(app, time, "check");

        if (record
            && (json_object_set_new(record, "answer", json_string(told)) < 0
                || (answer->offer
                    && json_object_set_new(record, "offered", json_string(answer->offer->version))
                               < 0))) {
                json_decref(record);
                record = NULL;
        }
        return append_record(buffer, record);
}

static int append_event(Buffer *buffer, const RequestApp *app, const RequestEvent *event,
                        const char *time)
{
        json_t *record = record_new(app, time, "event");
        json_t *details =
                json_pack("{s:I, s:I, s:I, s:s}", "type", (json_int_t)event->type, "result",
                          (json_int_t)event->result, "errorcode", (json_int_t)event->error_code,
                          "previousversion", event->previous_version);

        if (record && json_object_update(record, details) < 0) {
                json_decref(record);
                record = NULL;
        }
        json_decref(details);
        return append_record(buffer, record);
}

static int append_app(Buffer *buffer, const RequestApp *app, const Answer *answer, const char *time)
{
        int r = 0;

        if (app->update_check)
                r = append_check(buffer, app, answer, time);
        else if (app->ping)
                r = append_record(buffer, record_new(app, time, "ping"));
        for (size_t i = 0; i < app->n_events && r >= 0; i++)
                r = append_event(buffer, app, &app->events[i], time);

        return r;
}

static int client_log_rotate(const char *directory)
{
        _cleanup_free_ char *from = NULL, *to = NULL;
        struct stat status;
        int r;

        r = root_join(directory, CLIENT_LOG_FILE, &from);
        if (r < 0)
                return r;
        r = root_join(directory, CLIENT_LOG_FILE ".1", &to);
        if (r < 0)
                return r;

        if (stat(from, &status) < 0)
                return errno == ENOENT ? 0 : -errno;
        return (uint64_t)status.st_size < CLIENT_LOG_SIZE_MAX ? 0 : RET_ERRNO(rename(from, to));
}

int client_log_append(const char *directory, const Request *request, const Answer *answers,
                      usec_t now)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(RECORDS_SIZE_MAX);
        _cleanup_close_ int fd = -1;
        char time[CLIENT_LOG_TIME_MAX];
        int r;

        for (size_t i = 0; i < request->n_apps; i++) {
                r = append_app(&buffer, &request->apps[i], &answers[i], client_log_time(now, time));
                if (r < 0)
                        return r;
        }
        if (buffer.size == 0)
                return 0;

        r = client_log_rotate(directory);
        if (r < 0)
                return r;
        fd = root_open(directory, CLIENT_LOG_FILE, O_WRONLY | O_APPEND | O_CREAT, 0644);
        if (fd < 0)
                return fd;

        return write_full(fd, buffer.data, buffer.size);
}

/* What the pairs of event type and result that clients send stand for. */
static const struct {
        json_int_t type, result;
        const char *text;
} meanings[] = {
        { 3, 0, "update failed" },
        { 3, 1, "update installed, reboot needed" },
        { 3, 2, "running" },
        { 3, 9, "update put off" },
        { 13, 1, "download started" },
        { 14, 1, "download finished" },
        { 800, 1, "download finished" },
};

static char *describe_event(const json_t *record)
{
        json_int_t type = json_integer_value(json_object_get(record, "type"));
        json_int_t result = json_integer_value(json_object_get(record, "result"));
        json_int_t error = json_integer_value(json_object_get(record, "errorcode"));
        const char *previous = json_string_value(json_object_get(record, "previousversion"));
        const char *meaning = "event";
        bool updated =
                type == 3 && result == 2 && !is_empty(previous) && !streq(previous, "0.0.0.0");
        char code[64] = "";
        char *text = NULL;

        for (size_t i = 0; i < ELEMENTSOF(meanings); i++)
                if (meanings[i].type == type && meanings[i].result == result)
                        meaning = meanings[i].text;
        if (error != 0)
                snprintf(code, sizeof(code), ", error %lld", (long long)error);

        (void)text_format(&text, "%s%s%s (%lld/%lld)%s", meaning, updated ? ", updated from " : "",
                          updated ? previous : "", (long long)type, (long long)result, code);
        return text;
}

static char *describe_what(const json_t *record)
{
        const char *what = json_string_value(json_object_get(record, "what"));
        const char *answer = json_string_value(json_object_get(record, "answer"));
        const char *offered = json_string_value(json_object_get(record, "offered"));
        char *text = NULL;

        if (streq_null(what, "event"))
                return describe_event(record);
        if (streq_null(what, "ping"))
                return strdup("still there");
        if (!streq_null(what, "check") || !answer)
                return NULL;
        if (!offered && streq(answer, "noupdate"))
                answer = "nothing newer";
        (void)text_format(&text, "check: %s%s", offered ? "offered " : "",
                          offered ? offered : answer);
        return text;
}

/*
 * Clients choose what they are called: nothing of it may reach a terminal as a control character.
 */
static void text_tame(char *text)
{
        for (unsigned char *p = (unsigned char *)text; *p; p++)
                if (*p < ' ' || *p >= 0x7f)
                        *p = '?';
}

char *client_log_describe(const char *line, size_t size)
{
        json_t *record = json_loadb(line, size, 0, NULL);
        const char *time, *machine, *channel, *version;
        _cleanup_free_ char *what = NULL;
        char *text = NULL;

        if (json_unpack(record, "{s:s, s:s, s:s, s:s}", "time", &time, "machine", &machine,
                        "channel", &channel, "version", &version)
            == 0)
                what = describe_what(record);
        if (what)
                (void)text_format(&text, "%-20s  %-32s  %-8s  %-12s  %s", time,
                                  *machine ? machine : "-", channel, version, what);
        json_decref(record);

        if (text)
                text_tame(text);
        return text;
}
