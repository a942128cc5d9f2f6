#include "duration.h"
#include "base/buffer.h"
#include "base/io.h"
#include "record.h"

#define FIELDS_OF_TOOK  2 /* "took SECONDS" */
#define FIELDS_OF_ASKED 3 /* "asked SECONDS BOOT-ID" */

void durations_done(Durations *durations)
{
        free(durations->boot_id);
        *durations = (Durations) {};
}

static int line_parse(const char *line, Durations *durations)
{
        _cleanup_(text_list_done) TextList fields = {};
        uint64_t seconds;
        int r;

        r = text_list_split(&fields, line, " ");
        if (r < 0)
                return r;
        if (fields.n_items < FIELDS_OF_TOOK
            || text_to_u64(fields.items[1], UINT32_MAX, &seconds) < 0 || seconds == 0)
                return -EBADMSG;

        if (streq(fields.items[0], "asked") && fields.n_items == FIELDS_OF_ASKED
            && durations->asked == 0) {
                durations->asked = seconds * USEC_PER_SEC;
                return text_set(&durations->boot_id, fields.items[2]);
        }
        if (!streq(fields.items[0], "took") || fields.n_items != FIELDS_OF_TOOK
            || seconds * USEC_PER_SEC > DURATION_MAX || durations->n_took == DURATION_KEPT)
                return -EBADMSG;
        durations->took[durations->n_took++] = seconds * USEC_PER_SEC;
        return 0;
}

int durations_parse(const char *text, Durations *ret)
{
        _cleanup_(durations_done) Durations durations = {};
        _cleanup_(text_list_done) TextList lines = {};
        int r;

        r = text_list_split(&lines, text, "\n");
        for (size_t i = 0; i < lines.n_items && r >= 0; i++)
                r = line_parse(lines.items[i], &durations);
        if (r < 0)
                return r;

        *ret = durations;
        durations = (Durations) {};
        return 0;
}

int durations_format(const Durations *durations, char **ret)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_MAX(DURATION_TEXT_MAX);
        int r = 0;

        if (durations->asked > 0)
                r = buffer_appendf(&text, "asked %llu %s\n",
                                   (unsigned long long)(durations->asked / USEC_PER_SEC),
                                   is_empty(durations->boot_id) ? "-" : durations->boot_id);
        for (size_t i = 0; i < durations->n_took && r >= 0; i++)
                r = buffer_appendf(&text, "took %llu\n",
                                   (unsigned long long)(durations->took[i] / USEC_PER_SEC));
        return r < 0 ? r : buffer_take_text(&text, ret, NULL);
}

bool durations_close(Durations *durations, const char *boot_id, usec_t now, usec_t *ret_took)
{
        usec_t asked = durations->asked, took;

        *ret_took = 0;
        if (asked == 0 || is_empty(boot_id) || streq(durations->boot_id, boot_id))
                return false;

        durations->asked = 0;
        took = now > asked ? now - asked : 0;
        if (took < USEC_PER_SEC || took > DURATION_MAX)
                return true;
        memmove(durations->took + 1, durations->took,
                (DURATION_KEPT - 1) * sizeof(durations->took[0]));
        durations->took[0] = took;
        durations->n_took = MIN_OF(durations->n_took + 1, (size_t)DURATION_KEPT);
        *ret_took = took;
        return true;
}

/* A file that is not there, or not as we write it, has nothing to say. */
static int durations_read(const char *root, Durations *ret)
{
        _cleanup_free_ char *text = NULL;
        int r;

        *ret = (Durations) {};
        r = file_read(root, DURATION_FILE, DURATION_TEXT_MAX, &text, NULL);
        if (r >= 0)
                r = durations_parse(text, ret);
        return r == -ENOMEM ? r : 0;
}

static int durations_write(const char *root, const Durations *durations)
{
        _cleanup_free_ char *text = NULL;
        int r;

        r = durations_format(durations, &text);
        return r < 0 ? r : file_replace(root, DURATION_FILE, text, strlen(text), 0644);
}

int duration_begin(const char *root)
{
        _cleanup_(durations_done) Durations durations = {};
        _cleanup_(record_done) Record host = {};
        int r;

        r = durations_read(root, &durations);
        if (r >= 0)
                r = record_of_host(root, "", NULL, &host);
        if (r >= 0)
                r = text_set(&durations.boot_id, host.boot_id);
        if (r < 0)
                return r;

        durations.asked = now_realtime();
        return durations_write(root, &durations);
}

int duration_cancel(const char *root)
{
        _cleanup_(durations_done) Durations durations = {};
        int r;

        r = durations_read(root, &durations);
        if (r < 0 || durations.asked == 0)
                return r;
        durations.asked = 0;
        return durations_write(root, &durations);
}

int duration_end(const char *root, usec_t *ret_took)
{
        _cleanup_(durations_done) Durations durations = {};
        _cleanup_(record_done) Record host = {};
        int r;

        *ret_took = 0;
        r = durations_read(root, &durations);
        if (r >= 0)
                r = record_of_host(root, "", NULL, &host);
        if (r < 0 || !durations_close(&durations, host.boot_id, now_realtime(), ret_took))
                return r;

        r = durations_write(root, &durations);
        return r < 0 ? r : 1;
}

usec_t duration_expected(const Settings *settings)
{
        _cleanup_(durations_done) Durations durations = {};
        usec_t longest = 0;

        if (settings->has_duration)
                return settings->duration;

        if (durations_read(settings->root, &durations) < 0)
                return 0; /* out of memory: as if nothing were known */
        for (size_t i = 0; i < durations.n_took; i++)
                longest = MAX_OF(longest, durations.took[i]);
        return MIN_OF(longest, windows_longest(&settings->windows) / 2);
}
