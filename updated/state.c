#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/env-file.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "state.h"

#define STATE_FORMAT "1"
#define STATE_CHECK  "CHECK="
#define STATE_MODE   0644 /* nothing in it is secret */

static const struct {
        const char *key;
        size_t offset;
} state_keys[] = {
        { "ALEPH_VERSION", offsetof(State, aleph_version) },
        { "PREVIOUS_VERSION", offsetof(State, previous_version) },
        { "STAGED_VERSION", offsetof(State, staged_version) },
        { "STAGED_SHA256", offsetof(State, staged_sha256) },
        { "STAGED_SIZE", offsetof(State, staged_size) },
        { "STAGED_BOOT_ID", offsetof(State, staged_boot_id) },
        { "FAILED_VERSION", offsetof(State, failed_version) },
        { "FAILED_SHA256", offsetof(State, failed_sha256) },
        { "LEFT_VERSION", offsetof(State, left_version) },
        { "VERSION_A", offsetof(State, version_a) },
        { "VERSION_B", offsetof(State, version_b) },
        { "STAGED_MADE", offsetof(State, staged_made) },
        { "GOOD_MADE", offsetof(State, good_made) },
        { "HIGHEST_VERSION", offsetof(State, highest_version) },
        { "TRUSTED_TIME", offsetof(State, trusted_time) },
        { "PAUSED", offsetof(State, paused) },
        { "RETRIES", offsetof(State, retries) },
};

static char **state_field(const State *state, size_t i)
{
        return (void *)((char *)state + state_keys[i].offset);
}

void state_done(State *state)
{
        for (size_t i = 0; i < ELEMENTSOF(state_keys); i++)
                free(*state_field(state, i));
        *state = (State) {};
}

static int state_take(const EnvFile *file, State *state)
{
        for (size_t i = 0; i < ELEMENTSOF(state_keys); i++) {
                int r = text_set(state_field(state, i), env_file_get(file, state_keys[i].key));

                if (r < 0)
                        return r;
        }

        return 0;
}

/* A file that somebody else could have written is not trusted. */
static int state_read_own(const char *root, char **ret)
{
        _cleanup_close_ int fd = root_open(root, STATE_PATH, O_RDONLY | O_NONBLOCK, 0);
        struct stat status;

        if (fd < 0)
                return fd;
        if (fstat(fd, &status) < 0)
                return -errno;
        if (status.st_uid != geteuid() || status.st_mode & (S_IWGRP | S_IWOTH)) {
                log_warning("%s belongs to another user, or others may write to it: going on "
                            "without it",
                            STATE_PATH);
                return -ENOENT;
        }

        return fd_read_all(fd, IO_SMALL_FILE_MAX, ret, NULL);
}

/* The last line is the checksum of those above it: a file that lost its end, or a bit, is no state. */
static int state_read_text(const char *root, char **ret)
{
        _cleanup_free_ char *text = NULL, *wanted = NULL;
        const char *check = NULL;
        int r;

        r = state_read_own(root, &text);
        if (r < 0)
                return r;
        for (const char *found = strstr(text, "\n" STATE_CHECK); found;
             found = strstr(check, "\n" STATE_CHECK))
                check = found + 1;
        if (!check)
                return -EBADMSG;
        if (text_format(&wanted, STATE_CHECK "%016llx\n",
                        (unsigned long long)text_checksum(text, (size_t)(check - text), 0))
            < 0)
                return -ENOMEM;
        if (!streq(check, wanted))
                return -EBADMSG;

        *ret = TAKE_PTR(text);
        return 0;
}

int state_read(const char *root, State *ret)
{
        _cleanup_(env_file_done) EnvFile file = {};
        _cleanup_(state_done) State state = {};
        _cleanup_free_ char *text = NULL;
        const char *format;
        int r;

        r = state_read_text(root, &text);
        if (r >= 0)
                r = env_file_parse(STATE_PATH, text, env_file_log, NULL, &file);
        if (r == -ENOMEM)
                return r;
        if (r < 0 && r != -ENOENT)
                (void)log_warning_errno(r, "%s can not be read, going on without it: %m",
                                        STATE_PATH);

        format = r < 0 ? NULL : env_file_get(&file, "STATE");
        if (r >= 0 && !streq_null(format, STATE_FORMAT))
                log_warning("%s has format \"%s\" and not " STATE_FORMAT ", going on without it",
                            STATE_PATH, format ? format : "");
        else if (r >= 0) {
                r = state_take(&file, &state);
                if (r < 0)
                        return r;
        }

        *ret = state;
        state = (State) {};
        return 0;
}

int state_write(const char *root, const State *state)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_MAX(IO_SMALL_FILE_MAX);
        int r;

        r = buffer_append_text(&text, "STATE=" STATE_FORMAT "\n");
        for (size_t i = 0; i < ELEMENTSOF(state_keys) && r >= 0; i++) {
                const char *value = *state_field(state, i);

                if (value)
                        r = buffer_appendf(&text, "%s=\"%s\"\n", state_keys[i].key, value);
        }
        if (r >= 0)
                r = buffer_appendf(&text, STATE_CHECK "%016llx\n",
                                   (unsigned long long)text_checksum(text.data, text.size, 0));
        if (r < 0)
                return r;

        return file_replace(root, STATE_PATH, text.data, text.size, STATE_MODE);
}

uint64_t state_time(const char *text)
{
        uint64_t time;

        return text && text_to_u64(text, INT64_MAX, &time) >= 0 ? time : 0;
}

int state_set_time(char **target, uint64_t time)
{
        char text[DECIMAL_MAX];

        snprintf(text, sizeof(text), "%llu", (unsigned long long)time);
        return text_set(target, time > 0 ? text : NULL);
}

int state_trust_time(State *state, uint64_t time)
{
        if (time <= state_time(state->trusted_time))
                return 0;
        return state_set_time(&state->trusted_time, time);
}

char **state_slot_version(State *state, const char *slot)
{
        return streq(slot, "A") ? &state->version_a : streq(slot, "B") ? &state->version_b : NULL;
}

void state_unstage(State *state)
{
        char **const fields[] = { &state->staged_version, &state->staged_sha256,
                                  &state->staged_size, &state->staged_boot_id,
                                  &state->staged_made };

        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                text_clear(fields[i]);
        if (state->previous_version)
                state->previous_version[0] = 0; /* nothing to tell the server either */
}
