#include <unistd.h>

#include "base/bus.h"
#include "base/log.h"
#include "ctl.h"
#include "updated/client.h"

/* locksmithd asks the bus who sent the signal, before it believes it: we stay that long. */
#define STAY_SECONDS 1

int verb_send_need_reboot(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = bus_open(NULL, &bus);
        if (r >= 0)
                r = sd_bus_emit_signal(bus, UPDATE_BUS_PATH, UPDATE_BUS_IFACE, "StatusUpdate",
                                       "xdssx", (int64_t)0, 0.0,
                                       update_status_to_string(UPDATE_STATUS_UPDATED_NEED_REBOOT),
                                       "", (int64_t)0);
        if (r >= 0)
                r = sd_bus_flush(bus);
        if (r < 0)
                return log_error_errno(r, "Error sending the signal: %m%s", bus_open_hint(r));

        (void)sleep(STAY_SECONDS); /* cut short by a signal: then that is what the user wants */
        return EXIT_DONE;
}
