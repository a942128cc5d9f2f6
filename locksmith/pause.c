#include <jansson.h>

#include "base/text.h"
#include "pause.h"
#include "record.h"

/* The texts are those of a record, which has made them UTF-8. */
int pause_format(const Pause *pause, char **ret)
{
        json_auto_t *root =
                json_pack("{s:I, s:s, s:s, s:I}", "max", (json_int_t)pause->max, "host",
                          pause->host, "reason", pause->reason, "since", (json_int_t)pause->since);
        char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

        if (!text)
                return -ENOMEM;

        *ret = text;
        return 0;
}

int pause_parse(const char *text, size_t size, Pause *ret)
{
        _cleanup_(record_done) Record record = {};
        json_auto_t *root = NULL;
        json_int_t max;
        int r;

        r = record_parse(text, size, &record);
        if (r < 0)
                return r;
        root = json_loadb(text, size, 0, NULL);
        max = json_integer_value(json_object_get(root, "max"));
        if (max < 1)
                return -EBADMSG;

        *ret = (Pause) {
                .max = max,
                .host = TAKE_PTR(record.host),
                .reason = TAKE_PTR(record.reason),
                .since = record.since,
        };
        return 0;
}

void pause_done(Pause *pause)
{
        free(pause->host);
        free(pause->reason);
        *pause = (Pause) {};
}
