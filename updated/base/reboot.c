#include "base/reboot.h"

int reboot_request_async(sd_bus *bus, sd_bus_slot **ret, sd_bus_message_handler_t handler,
                         void *userdata)
{
        int r;

        r = sd_bus_call_method_async(bus, ret, LOGIN_BUS_NAME, LOGIN_BUS_PATH, LOGIN_BUS_IFACE,
                                     "Reboot", handler, userdata, "b", false);
        return r < 0 ? r : 0;
}

int reboot_request(sd_bus *bus, sd_bus_error *error)
{
        int r;

        r = sd_bus_call_method(bus, LOGIN_BUS_NAME, LOGIN_BUS_PATH, LOGIN_BUS_IFACE, "Reboot",
                               error, NULL, "b", false);
        return r < 0 ? r : 0;
}
