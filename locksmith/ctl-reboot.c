#include <fcntl.h>
#include <unistd.h>

#include "base/bus.h"
#include "base/io.h"
#include "base/log.h"
#include "ctl.h"
#include "daemon.h"
#include "reboot.h"

static void on_done(_unused_ const LockResult *result, _unused_ void *userdata)
{
        /* The reboot follows, or its refusal is told. */
}

/* With strategies that do without the lock this does without it, too. */
static bool lock_is_needed(const Settings *settings)
{
        _cleanup_close_ int marker = root_open(settings->root, DAEMON_ETCD_SEEN, O_RDONLY, 0);

        return strategy_needs_lock(settings->strategy, marker >= 0);
}

static int lock_change(Ctl *ctl, LockKind kind, const char *id, const char *what)
{
        return ctl_run(ctl, &(LockRequest) { .kind = kind, .id = id, .on_done = on_done }, what);
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
        if (r >= 0 && lock_is_needed(&ctl.settings)) {
                r = lock_change(&ctl, LOCK_KIND_TAKE, id, "Error locking");
                locked = r >= 0;
        }
        if (r < 0)
                return r;

        r = reboot_request(bus, &error);
        if (r >= 0)
                return EXIT_DONE;

        log_error("the reboot was refused: %s%s", bus_error_text(&error, r),
                  locked ? "; giving the lock back" : "");
        if (locked && lock_change(&ctl, LOCK_KIND_RELEASE, id, "Error unlocking") < 0)
                log_error("this host still holds the lock: give it back with locksmithctl unlock");
        return r;
}
