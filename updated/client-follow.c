#include <fcntl.h>
#include <stdio.h>

#include "base/bus.h"
#include "base/io.h"
#include "base/log.h"
#include "base/program.h"
#include "base/progress.h"
#include "client-connect.h"
#include "client-details.h"
#include "client-follow.h"
#include "client-show.h"

#define PAYLOAD_MAGIC    "CrAU"
#define CLASSIC_INTERVAL (5 * USEC_PER_SEC) /* how often the original prints its five lines */

typedef struct Follow {
        sd_bus *bus;
        sd_event *event;
        FollowStyle style;
        bool update;         /* to the end of an update; else for ever */
        bool ended;          /* by what came, and not by a signal */
        const char *payload; /* install this file or URL; NULL: ask the server */
        bool drawing;
        Progress progress;
        UpdateStatus shown; /* the state that was printed last */
        usec_t shown_at;
} Follow;

static int follow_end(Follow *follow, int status)
{
        follow->ended = true;
        return sd_event_exit(follow->event, status);
}

/* True when the bar stands for this report. */
static bool follow_draw(Follow *follow, const UpdateReport *report)
{
        uint64_t size = report->new_size > 0 ? (uint64_t)report->new_size : 0;
        uint64_t done = (uint64_t)(report->progress * (double)size);
        bool wanted = follow->style == FOLLOW_PEOPLE && isatty(STDOUT_FILENO) && size > 0
                      && report->status == UPDATE_STATUS_DOWNLOADING;

        if (wanted && !follow->drawing)
                progress_start(&follow->progress, stdout, "downloading", size);
        if (wanted)
                progress_update(&follow->progress, done);
        if (follow->drawing && !wanted)
                progress_finish(&follow->progress, follow->progress.total);
        follow->drawing = wanted;
        return wanted;
}

static int follow_show(Follow *follow, const UpdateReport *report)
{
        usec_t now = now_boottime();
        bool changed = follow->shown != report->status;
        int r = 0;

        if (follow_draw(follow, report))
                return 0;

        switch (follow->style) {
        case FOLLOW_PEOPLE:
                if (changed || !follow->update)
                        client_show_report(report);
                break;
        case FOLLOW_JSON:
                r = client_show_report_json(report);
                break;
        case FOLLOW_CLASSIC:
                if (!follow->update)
                        client_show_signal_classic(report);
                else if (changed || now - follow->shown_at >= CLASSIC_INTERVAL) {
                        client_show_report_classic(report);
                        follow->shown_at = now;
                }
                break;
        }

        follow->shown = report->status;
        return r;
}

/* The daemon is idle again: was there nothing to do, or did it fail? */
static int follow_judge_idle(Follow *follow)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *text = NULL;
        int32_t code;
        int r;

        r = client_error_get(follow->bus, &code, &text, &error);
        if (r < 0) {
                log_error("asking updated for the result: %s", bus_error_text(&error, r));
                return EXIT_REFUSED;
        }
        if (code != 0) {
                log_error("Update failed: %s (code %d)", text, code);
                return EXIT_REFUSED;
        }

        log_info("No update available");
        return EXIT_DONE;
}

static int follow_judge(Follow *follow, const UpdateReport *report)
{
        if (!follow->update)
                return 0;
        if (report->status == UPDATE_STATUS_UPDATED_NEED_REBOOT) {
                log_info("Update succeeded -- reboot needed.");
                return follow_end(follow, EXIT_DONE);
        }
        if (report->status == UPDATE_STATUS_IDLE)
                return follow_end(follow, follow_judge_idle(follow));
        return 0;
}

static int on_status(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        _cleanup_(update_report_done) UpdateReport report = {};
        Follow *follow = userdata;
        int r;

        r = update_report_read(message, &report);
        if (r >= 0)
                r = follow_show(follow, &report);
        if (r < 0) {
                (void)log_error_errno(r, "reading a StatusUpdate signal: %m");
                return follow_end(follow, EXIT_REFUSED);
        }

        return follow_judge(follow, &report);
}

static int on_owner_changed(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        const char *name, *old_owner, *new_owner;
        Follow *follow = userdata;
        int r;

        r = sd_bus_message_read(message, "sss", &name, &old_owner, &new_owner);
        if (r < 0 || !streq(name, UPDATE_BUS_NAME) || *new_owner || !follow->update)
                return 0;

        log_error("updated ended before the update did; see its log");
        return follow_end(follow, EXIT_REFUSED);
}

static int follow_prepare(Follow *follow)
{
        int r;

        r = event_new(&follow->event);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(follow->bus, follow->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        r = sd_bus_set_exit_on_disconnect(follow->bus, true);
        if (r < 0)
                return r;
        r = sd_bus_match_signal(follow->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                "org.freedesktop.DBus", "NameOwnerChanged", on_owner_changed,
                                follow);
        if (r < 0)
                return r;
        return update_client_watch(follow->bus, NULL, on_status, follow);
}

static int follow_done(Follow *follow, int status)
{
        (void)sd_bus_detach_event(follow->bus); /* fails only when it is not attached */
        sd_event_unref(follow->event);
        return status;
}

/*
 * Is it a payload at all? The daemon gives up the version in the target, which rollback may be about, before its
 * worker looks at the first byte: the wrong file on the command line should not cost that.
 */
static int payload_begins(int fd, sd_bus_error *error)
{
        char magic[sizeof(PAYLOAD_MAGIC) - 1];
        int r = pread_full(fd, magic, sizeof(magic), 0);

        if (r == -ESPIPE || r == -EISDIR || r == -ENODATA)
                return 0; /* no regular file, or none to speak of: the daemon says so */
        if (r < 0)
                return sd_bus_error_set_errno(error, r);
        if (memcmp(magic, PAYLOAD_MAGIC, sizeof(magic)) != 0)
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                                        "not an update payload: it does not begin with "
                                        "\"" PAYLOAD_MAGIC "\"; nothing was changed");
        return 0;
}

/* A file is opened here, with the rights of who asks. */
static int follow_install(const Follow *follow, sd_bus_error *error)
{
        _cleanup_close_ int fd = -1;
        int r;

        if (strstr(follow->payload, "://"))
                return sd_bus_call_method(follow->bus, UPDATE_BUS_NAME, UPDATE_BUS_PATH,
                                          UPDATE_BUS_IFACE2, "Install", error, NULL, "v", "s",
                                          follow->payload);

        fd = RET_ERRNO(open(follow->payload, O_RDONLY | O_CLOEXEC | O_NOCTTY));
        if (fd < 0)
                return sd_bus_error_set_errno(error, fd);
        r = payload_begins(fd, error);
        if (r < 0)
                return r;
        r = sd_bus_call_method(follow->bus, UPDATE_BUS_NAME, UPDATE_BUS_PATH, UPDATE_BUS_IFACE2,
                               "Install", error, NULL, "v", "h", fd);
        return r;
}

/* Returns 1 to go on, 0 when there is nothing to follow, or -errno. */
static int follow_begin(Follow *follow, sd_bus_error *error)
{
        _cleanup_(update_report_done) UpdateReport report = {};
        int r;

        if (follow->payload)
                r = follow_install(follow, error);
        else
                r = follow->update ? update_client_call(follow->bus, "AttemptUpdate", error) : 0;
        if (r < 0)
                return r;
        r = update_client_get_status(follow->bus, &report, error);
        if (r < 0)
                return r;
        r = follow_show(follow, &report);
        if (r < 0)
                return r;

        /* IDLE here is the moment before the attempt begins; the signal tells its end. */
        if (follow->update && report.status == UPDATE_STATUS_UPDATED_NEED_REBOOT) {
                log_info("version %s is in place already -- reboot needed.", report.new_version);
                return 0;
        }
        return 1;
}

static int follow_interrupted(Follow *follow)
{
        if (follow->drawing)
                printf("\n");
        if (follow->update)
                log_error("interrupted; updated goes on with the update: \"update-engine-client "
                          "cancel\" stops it");
        return -ECANCELED;
}

static int follow_run(Follow *follow)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        follow->shown = _UPDATE_STATUS_INVALID;
        r = follow_prepare(follow);
        if (r < 0)
                return follow_done(follow, log_error_errno(r, "setting up: %m"));
        r = follow_begin(follow, &error);
        if (r < 0)
                (void)client_failed(follow->payload  ? follow->payload
                                    : follow->update ? "update"
                                                     : "asking updated",
                                    &error, r); /* is r again */
        if (r <= 0)
                return follow_done(follow, r < 0 ? EXIT_REFUSED : EXIT_DONE);

        r = sd_event_loop(follow->event);
        if (r < 0)
                (void)log_error_errno(r, "waiting for updated: %m");
        else if (!follow->ended)
                r = r > 0 ? log_error_return(-EPIPE, "the system bus went away")
                          : follow_interrupted(follow);
        return follow_done(follow, r);
}

int client_update(sd_bus *bus, FollowStyle style)
{
        Follow follow = { .bus = bus, .style = style, .update = true };

        return follow_run(&follow);
}

int client_install(sd_bus *bus, const char *payload, FollowStyle style)
{
        Follow follow = { .bus = bus, .style = style, .update = true, .payload = payload };

        return follow_run(&follow);
}

int client_watch(sd_bus *bus, FollowStyle style)
{
        Follow follow = { .bus = bus, .style = style };

        return follow_run(&follow);
}
