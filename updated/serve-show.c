#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

#include "base/io.h"
#include "base/log.h"
#include "base/program.h"
#include "serve-catalogue.h"
#include "serve-log.h"
#include "serve-show.h"

#define DIGEST_DIGITS 16 /* of a SHA-256 in a table */

static json_t *packages_format(const CataloguePayload *payload)
{
        json_t *array = json_array();

        for (size_t i = 0; i < payload->n_packages && array; i++) {
                const CatalogueFile *package = &payload->packages[i];
                json_t *item = json_pack("{s:s, s:I, s:s}", "name", package->name, "size",
                                         (json_int_t)package->size, "sha256", package->sha256);

                if (json_array_append_new(array, item) < 0) {
                        json_decref(array);
                        array = NULL;
                }
        }
        return array;
}

static json_t *channel_format(const CatalogueChannel *channel)
{
        return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:o}", "appid", channel->appid,
                         "board", channel->board, "channel", channel->name, "version",
                         channel->version, "size", (json_int_t)channel->payload->size, "sha256",
                         channel->payload->sha256, "published", channel->published, "name",
                         channel->payload->name, "packages", packages_format(channel->payload));
}

/* Takes the value over; NULL: there was no memory for it. */
static int json_answer(json_t *value)
{
        _cleanup_free_ char *text = value ? json_dumps(value, JSON_INDENT(2)) : NULL;

        json_decref(value);
        if (!text)
                return log_error_errno(-ENOMEM, "printing JSON: %m");

        program_answered();
        printf("%s\n", text);
        return 0;
}

static int channels_print_json(const Catalogue *catalogue)
{
        json_t *array = json_array();

        for (size_t i = 0; i < catalogue->n_channels && array; i++)
                if (json_array_append_new(array, channel_format(&catalogue->channels[i])) < 0) {
                        json_decref(array);
                        array = NULL;
                }
        return json_answer(array);
}

int show_channel_json(const CatalogueChannel *channel)
{
        return json_answer(channel_format(channel));
}

static void channels_print(const Catalogue *catalogue)
{
        char size[BYTES_MAX];

        printf("%-12s %-16s %-10s %-*s %-20s %s\n", "CHANNEL", "VERSION", "SIZE", DIGEST_DIGITS,
               "SHA256", "PUBLISHED", "BOARD");
        for (size_t i = 0; i < catalogue->n_channels; i++) {
                const CatalogueChannel *channel = &catalogue->channels[i];
                bool usual = streq(channel->appid, CATALOGUE_APPID);

                printf("%-12s %-16s %-10s %.*s %-20s %s%s%s\n", channel->name, channel->version,
                       bytes_format(channel->payload->size, size), DIGEST_DIGITS,
                       channel->payload->sha256, channel->published,
                       *channel->board ? channel->board : "any", usual ? "" : " of ",
                       usual ? "" : channel->appid);
                for (size_t k = 0; k < channel->payload->n_packages; k++)
                        printf("%-12s with %s, %s\n", "", channel->payload->packages[k].name,
                               bytes_format(channel->payload->packages[k].size, size));
        }
}

int show_channels(const char *directory, bool json)
{
        _cleanup_(catalogue_done) Catalogue catalogue = {};
        _cleanup_free_ char *why = NULL;
        int r;

        r = RET_ERRNO(access(directory, R_OK | X_OK));
        if (r < 0)
                return log_error_errno(r, "opening %s: %m", directory);
        r = catalogue_read(directory, &catalogue, &why);
        if (r < 0 && why)
                return log_error_return(r, "reading %s/" CATALOGUE_FILE ": %s", directory, why);
        if (r < 0)
                return log_error_errno(r, "reading %s/" CATALOGUE_FILE ": %m", directory);

        if (json)
                return channels_print_json(&catalogue);
        if (catalogue.n_channels > 0)
                channels_print(&catalogue);
        else
                printf("Nothing is published in %s yet.\n", directory);
        return 0;
}

/* Where somebody who reads the log stands. */
typedef struct LogReader {
        const char *directory;
        bool json;
        FILE *file; /* NULL: there is none yet */
} LogReader;

static void log_reader_done(LogReader *reader)
{
        if (reader->file)
                (void)fclose(reader->file); /* was only read */
        reader->file = NULL;
}

static int log_reader_open(LogReader *reader, const char *name)
{
        _cleanup_close_ int fd = -1;

        log_reader_done(reader);
        fd = root_open(reader->directory, name, O_RDONLY, 0);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;

        reader->file = fdopen(fd, "r");
        if (!reader->file)
                return -errno;
        TAKE_FD(fd);
        return 0;
}

/* Lines that are none of ours (somebody edited the file) are passed over. */
static void log_reader_print(const LogReader *reader, const char *line, size_t size)
{
        _cleanup_free_ char *text = client_log_describe(line, size);

        if (text)
                printf("%s\n", reader->json ? line : text);
}

/*
 * Prints what there is up to the end; half a line, still being written, is left for the next time.
 */
static int log_reader_drain(LogReader *reader)
{
        _cleanup_free_ char *line = NULL;
        size_t capacity = 0;

        if (!reader->file)
                return 0;

        clearerr(reader->file);
        for (;;) {
                off_t start = ftello(reader->file);
                ssize_t n = getline(&line, &capacity, reader->file);

                if (n < 0 && ferror(reader->file))
                        return -EIO;
                if (n > 0 && line[n - 1] != '\n' && fseeko(reader->file, start, SEEK_SET) < 0)
                        return -errno;
                if (n <= 0 || line[n - 1] != '\n')
                        break;
                line[n - 1] = 0;
                log_reader_print(reader, line, (size_t)n - 1);
        }

        return fflush(stdout) == 0 ? 0 : -EPIPE; /* program_run() says it */
}

/* Has the file been renamed and another begun, or the first one appeared? */
static bool log_reader_is_behind(const LogReader *reader)
{
        _cleanup_free_ char *path = NULL;
        struct stat here, there;

        if (root_join(reader->directory, CLIENT_LOG_FILE, &path) < 0 || stat(path, &there) < 0)
                return false;
        return !reader->file || fstat(fileno(reader->file), &here) < 0
               || here.st_ino != there.st_ino;
}

static int log_reader_advance(LogReader *reader)
{
        int r;

        r = log_reader_drain(reader);
        if (r < 0 || !log_reader_is_behind(reader))
                return r;
        r = log_reader_open(reader, CLIENT_LOG_FILE);
        if (r < 0)
                return r;

        return log_reader_drain(reader);
}

static int on_directory(sd_event_source *source, _unused_ const struct inotify_event *event,
                        void *userdata)
{
        int r;

        r = log_reader_advance(userdata);
        return r < 0 ? sd_event_exit(sd_event_source_get_event(source), r) : 0;
}

static int log_reader_follow(LogReader *reader)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *watch = NULL;
        int r;

        r = sd_event_new(&event);
        if (r < 0)
                return r;
        r = sd_event_add_inotify(event, &watch, reader->directory,
                                 IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR, on_directory,
                                 reader);
        if (r < 0)
                return r;

        r = log_reader_advance(reader); /* what came before the watch was there */
        if (r < 0)
                return r;
        return sd_event_loop(event); /* a signal is how this ends */
}

static int log_reader_show(LogReader *reader, bool follow)
{
        int r;

        r = log_reader_open(reader, CLIENT_LOG_FILE ".1");
        if (r < 0)
                return r;
        r = log_reader_drain(reader);
        if (r < 0)
                return r;
        log_reader_done(reader);

        return follow ? log_reader_follow(reader) : log_reader_advance(reader);
}

int show_log(const char *directory, bool json, bool follow)
{
        _cleanup_(log_reader_done) LogReader reader = { .directory = directory, .json = json };
        int r;

        r = RET_ERRNO(access(directory, R_OK | X_OK));
        if (r < 0)
                return log_error_errno(r, "opening %s: %m", directory);
        r = log_reader_show(&reader, follow);
        if (r == -EPIPE)
                return r;
        if (r < 0)
                return log_error_errno(r, "reading %s/" CLIENT_LOG_FILE ": %m", directory);

        program_answered(); /* none, or one on each line */
        return 0;
}
