#include <unistd.h>

#include "base/bus.h"
#include "base/log.h"
#include "base/reboot.h"
#include "ctl.h"
#include "departure.h"

/* Takes the lock, unless etcd could not do without this host. */
static int lock_take(Ctl *ctl, const char *id)
{
        _cleanup_free_ char *why = NULL;
        bool agrees;
        int r;

        r = ctl_ask_guard(ctl, &agrees, &why);
        if (r < 0)
                return r;
        if (!agrees)
                return log_error_return(-EBUSY, "%s", why);

        return ctl_change_holder(ctl, LOCK_KIND_TAKE, id, RECORD_REASON_REBOOT, NULL);
}

typedef struct Farewell {
        char *why; /* NULL: it is written */
        bool done;
} Farewell;

static void on_departure(const char *why, void *userdata)
{
        Farewell *farewell = userdata;

        farewell->done = true;
        if (text_set(&farewell->why, why) < 0)
                farewell->why = NULL; /* the reboot itself will hardly do better */
}

/* Tells the others that this host is expected back. */
static int farewell_tell(Ctl *ctl)
{
        Farewell farewell = {};
        Departure *departure;
        int r;

        if (!ctl->session.backend->ops->clone)
                return 0;
        r = departure_start(
                &(DepartureRequest) {
                        .session = &ctl->session,
                        .settings = &ctl->settings,
                        .on_done = on_departure,
                        .userdata = &farewell,
                },
                &departure);
        if (r >= 0) {
                r = session_wait(&ctl->session, &farewell.done, 0);
                if (!farewell.done)
                        departure_cancel(departure);
        }
        if (r >= 0 && farewell.why)
                r = log_error_return(-EIO, "%s", farewell.why);
        else if (r < 0)
                log_error_errno(r, "telling the other hosts: %m");
        free(farewell.why);
        return r;
}

int verb_reboot(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(ctl_done) Ctl ctl = {};
        _cleanup_free_ char *id = NULL;
        bool locked = false;
        int r;

        if (geteuid() != 0)
                return log_error_return(-EPERM, "Must be root to initiate reboot.");
        r = bus_open(NULL, &bus);
        if (r < 0)
                return log_error_errno(r, "Error initializing login connection: %m%s",
                                       bus_open_hint(r));

        r = ctl_open(&ctl);
        if (r >= 0)
                r = ctl_reboot_settings(&ctl.settings);
        if (r >= 0)
                r = ctl_id(&ctl, NULL, &id);
        if (r >= 0 && ctl_needs_lock(&ctl.settings)) {
                r = lock_take(&ctl, id);
                locked = r >= 0;
        }
        if (r < 0)
                return r;

        r = locked ? farewell_tell(&ctl) : 0;
        if (r >= 0) {
                r = reboot_request(bus, &error);
                if (r >= 0)
                        return EXIT_DONE;
                log_error("the reboot was refused: %s%s", bus_error_text(&error, r),
                          locked ? "; giving the lock back" : "");
        }

        if (locked && ctl_change_holder(&ctl, LOCK_KIND_RELEASE, id, NULL, NULL) < 0)
                log_error("this host still holds the lock: give it back with locksmithctl unlock");
        return r;
}
