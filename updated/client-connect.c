#include "client-connect.h"
#include "base/bus.h"
#include "base/log.h"

int client_open(sd_bus **ret)
{
        int r;

        r = bus_open(NULL, ret);
        if (r == -ENOENT || r == -ECONNREFUSED)
                return log_error_errno(r, "connecting to the system bus: %m; is dbus running? "
                                          "\"systemctl status dbus\" tells");
        return r < 0 ? log_error_errno(r, "connecting to the system bus: %m") : 0;
}

/* What the bus itself says, in the daemon's place. */
static const struct {
        const char *name, *hint;
} hints[] = {
        { SD_BUS_ERROR_SERVICE_UNKNOWN, "is updated running? \"systemctl status updated\" tells" },
        { SD_BUS_ERROR_NAME_HAS_NO_OWNER,
          "is updated running? \"systemctl status updated\" tells" },
        { SD_BUS_ERROR_NO_REPLY, "updated ended, or hangs; \"systemctl status updated\" tells" },
        { SD_BUS_ERROR_TIMEOUT, "updated hangs; \"systemctl status updated\" tells" },
        { SD_BUS_ERROR_ACCESS_DENIED, "that is for root; try it with sudo" },
        { SD_BUS_ERROR_UNKNOWN_METHOD, "this updated is of another version than the client" },
        { SD_BUS_ERROR_UNKNOWN_PROPERTY, "this updated is of another version than the client" },
};

int client_failed(const char *what, const sd_bus_error *error, int r)
{
        for (size_t i = 0; i < ELEMENTSOF(hints); i++)
                if (sd_bus_error_has_name(error, hints[i].name))
                        return log_error_return(r, "%s: %s; %s", what, bus_error_text(error, r),
                                                hints[i].hint);

        return log_error_return(r, "%s: %s", what, bus_error_text(error, r));
}

int client_get(ClientGet get, void *ret)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = client_open(&bus);
        if (r < 0)
                return r;
        r = get(bus, ret, &error);
        return r < 0 ? client_failed("asking updated", &error, r) : 0;
}
