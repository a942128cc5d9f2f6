#include <unistd.h>

#include "base/bus.h"
#include "base/log.h"
#include "base/reboot.h"
#include "ctl.h"

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

        return ctl_change_holder(ctl, LOCK_KIND_TAKE, id, RECORD_REASON_REBOOT);
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
                return log_error_errno(r, "Error initializing login connection: %m");

        r = ctl_open(&ctl);
        if (r >= 0)
                r = ctl_id(&ctl, NULL, &id);
        if (r >= 0 && ctl_needs_lock(&ctl.settings)) {
                r = lock_take(&ctl, id);
                locked = r >= 0;
        }
        if (r < 0)
                return r;

        r = reboot_request(bus, &error);
        if (r >= 0)
                return EXIT_DONE;

        log_error("the reboot was refused: %s%s", bus_error_text(&error, r),
                  locked ? "; giving the lock back" : "");
        if (locked && ctl_change_holder(&ctl, LOCK_KIND_RELEASE, id, NULL) < 0)
                log_error("this host still holds the lock: give it back with locksmithctl unlock");
        return r;
}
