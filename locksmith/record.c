#include <jansson.h>

#include "base/env-file.h"
#include "base/io.h"
#include "base/text.h"
#include "etcd-wire.h"
#include "record.h"

#define BOOT_ID_FILE  "/proc/sys/kernel/random/boot_id"
#define HOSTNAME_FILE "/etc/hostname"

void record_done(Record *record)
{
        free(record->host);
        free(record->boot_id);
        free(record->reason);
        free(record->from_version);
        free(record->to_version);
        *record = (Record) {};
}

/* JSON takes UTF-8 only, and a host name can be anything: what can not be shown is not sent. */
static int text_keep(char **target, const char *text)
{
        char shown[ETCD_WHY_MAX];

        foreign_text(text, strlen(text), shown, sizeof(shown));
        return text_set(target, shown);
}

/* A file that can not be read leaves the text empty: a record is a kindness, not a duty. */
static int line_read(const char *root, const char *path, char **ret)
{
        _cleanup_free_ char *line = NULL;
        int r;

        r = file_read_line(root, path, &line);
        if (r == -ENOMEM)
                return r;
        return text_keep(ret, r < 0 ? "" : line);
}

static int version_read(const char *root, char **ret)
{
        static const struct {
                const char *path, *key;
        } table[] = {
                { "/usr/share/coreos/release", "COREOS_RELEASE_VERSION" },
                { "/usr/share/flatcar/release", "FLATCAR_RELEASE_VERSION" },
                { "/etc/os-release", "VERSION_ID" },
        };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(env_file_done) EnvFile file = {};
                const char *value;

                r = env_file_read(root, table[i].path, NULL, NULL, &file);
                if (r == -ENOMEM)
                        return r;
                value = r < 0 ? NULL : env_file_get(&file, table[i].key);
                if (value)
                        return text_keep(ret, value);
        }

        return text_set(ret, "");
}

int record_of_host(const char *root, const char *reason, const char *to_version, Record *ret)
{
        _cleanup_(record_done)
                Record record = { .since = (int64_t)(now_realtime() / USEC_PER_SEC) };
        int r;

        r = line_read(root, HOSTNAME_FILE, &record.host);
        if (r >= 0)
                r = line_read(root, BOOT_ID_FILE, &record.boot_id);
        if (r >= 0)
                r = version_read(root, &record.from_version);
        if (r >= 0)
                r = text_keep(&record.reason, reason);
        if (r >= 0)
                r = text_keep(&record.to_version, to_version ? to_version : "");
        if (r < 0)
                return r;

        *ret = record;
        record = (Record) {};
        return 0;
}

int record_format(const Record *record, char **ret)
{
        json_auto_t *root = json_pack(
                "{s:s, s:s, s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "host", record->host,
                "boot_id", record->boot_id, "since", (json_int_t)record->since, "reason",
                record->reason, "from_version", record->from_version, "to_version",
                record->to_version, "departed", (json_int_t)record->departed, "return_within",
                (json_int_t)record->return_within, "free_after", (json_int_t)record->free_after,
                "held", (json_int_t)record->held);
        char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

        if (!text)
                return -ENOMEM;

        *ret = text;
        return 0;
}

bool record_is_late(const Record *record, bool away)
{
        return record->departed > 0 && record->return_within > 0 && !away;
}

bool record_is_gone(const Record *record, bool away, bool keep)
{
        return record_is_late(record, away) && record->free_after > 0 && !keep;
}

bool record_is_by_hand(const Record *record, const Record *host)
{
        return *record->boot_id && streq(record->boot_id, host->boot_id)
               && !streq(record->reason, RECORD_REASON_UPDATE);
}

bool record_is_fallback(const Record *record, const Record *now)
{
        return record->departed > 0 && *record->boot_id && !streq(record->boot_id, now->boot_id)
               && *record->to_version && !streq(record->to_version, record->from_version)
               && *record->from_version && streq(now->from_version, record->from_version);
}

int record_text_read(const json_t *root, const char *name, char **ret)
{
        const json_t *value = json_object_get(root, name);

        if (value && !json_is_string(value))
                return -EBADMSG;
        return text_keep(ret, value ? json_string_value(value) : "");
}

/* What is before 1970 was not said. */
static int seconds_read(const json_t *root, const char *name, int64_t *ret)
{
        const json_t *value = json_object_get(root, name);

        if (value && !json_is_integer(value))
                return -EBADMSG;

        *ret = MAX_OF(json_integer_value(value), (json_int_t)0);
        return 0;
}

int record_parse(const char *text, size_t size, Record *ret)
{
        _cleanup_(record_done) Record record = {};
        json_auto_t *root = size <= RECORD_TEXT_MAX
                                    ? json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL)
                                    : NULL;
        int r;

        if (!json_is_object(root))
                return -EBADMSG;
        r = seconds_read(root, "since", &record.since);
        if (r >= 0)
                r = seconds_read(root, "departed", &record.departed);
        if (r >= 0)
                r = seconds_read(root, "return_within", &record.return_within);
        if (r >= 0)
                r = seconds_read(root, "free_after", &record.free_after);
        if (r >= 0)
                r = seconds_read(root, "held", &record.held);
        if (r >= 0)
                r = record_text_read(root, "host", &record.host);
        if (r >= 0)
                r = record_text_read(root, "boot_id", &record.boot_id);
        if (r >= 0)
                r = record_text_read(root, "reason", &record.reason);
        if (r >= 0)
                r = record_text_read(root, "from_version", &record.from_version);
        if (r >= 0)
                r = record_text_read(root, "to_version", &record.to_version);
        if (r < 0)
                return r;

        *ret = record;
        record = (Record) {};
        return 0;
}

int record_touch(const char *text, char **ret)
{
        _cleanup_(record_done) Record record = {};
        int r;

        r = record_parse(text, strlen(text), &record);
        if (r < 0)
                return r;

        record.since = (int64_t)(now_realtime() / USEC_PER_SEC);
        return record_format(&record, ret);
}
