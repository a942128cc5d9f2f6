#include <signal.h>

#include "base/bus.h"

int bus_open(sd_event *event, sd_bus **ret)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = sd_bus_open_system(&bus);
        if (r < 0)
                return r;

        if (event) {
                r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
                if (r < 0)
                        return r;
                r = sd_bus_set_exit_on_disconnect(bus, true);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(bus);
        return 0;
}

static int signals_block(void)
{
        sigset_t set;

        if (sigemptyset(&set) < 0 || sigaddset(&set, SIGTERM) < 0 || sigaddset(&set, SIGINT) < 0)
                return -errno;

        return RET_ERRNO(sigprocmask(SIG_BLOCK, &set, NULL));
}

int event_new(sd_event **ret)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        int r;

        r = sd_event_new(&event);
        if (r < 0)
                return r;

        r = signals_block();
        if (r < 0)
                return r;

        r = sd_event_set_signal_exit(event, true);
        if (r < 0)
                return r;

        r = sd_event_set_watchdog(event, true);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(event);
        return 0;
}

const char *bus_open_hint(int r)
{
        if (r == -ENOENT || r == -ECONNREFUSED)
                return "; is dbus running? \"systemctl status dbus\" tells";
        return r == -EACCES || r == -EPERM ? "; only root may do that" : "";
}

const char *bus_error_text(const sd_bus_error *error, int r)
{
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN)
            || sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                return "its service does not run"; /* in place of a sentence about .service files */
        if (error && !is_empty(error->message))
                return error->message;
        if (r == -ENOTCONN)
                return "the system bus can not be reached";
        return strerror(abs(r));
}
