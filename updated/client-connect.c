#include "client-connect.h"
#include "base/bus.h"
#include "base/log.h"

int client_open(sd_bus **ret)
{
        int r;

        r = bus_open(NULL, ret);
        return r < 0 ? log_error_errno(r, "connecting to the system bus: %m%s", bus_open_hint(r))
                     : 0;
}

#define NOT_RUNNING "updated does not run; \"systemctl status updated\" tells why"
#define OLD_OR_NEW  "this updated is of another version than update-engine-client"

/* What the bus itself says in the daemon's place, in words of ours. */
static const struct {
        const char *name, *text;
} answers[] = {
        { SD_BUS_ERROR_SERVICE_UNKNOWN, NOT_RUNNING },
        { SD_BUS_ERROR_NAME_HAS_NO_OWNER, NOT_RUNNING },
        { SD_BUS_ERROR_NO_REPLY, "updated ended, or hangs; \"systemctl status updated\" tells" },
        { SD_BUS_ERROR_TIMEOUT, "updated hangs; \"systemctl status updated\" tells" },
        { SD_BUS_ERROR_ACCESS_DENIED, "only root may do that; try it with sudo" },
        { SD_BUS_ERROR_UNKNOWN_METHOD, OLD_OR_NEW },
        { SD_BUS_ERROR_UNKNOWN_PROPERTY, OLD_OR_NEW },
};

int client_failed(const char *what, const sd_bus_error *error, int r)
{
        for (size_t i = 0; i < ELEMENTSOF(answers); i++)
                if (sd_bus_error_has_name(error, answers[i].name))
                        return log_error_return(r, "%s: %s", what, answers[i].text);

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
