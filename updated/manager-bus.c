#include "base/bus.h"
#include "base/log.h"
#include "base/reboot.h"
#include "manager.h"

#define ERROR_BUSY UPDATE_BUS_NAME ".Error.Busy"

/* Always succeeds, as the original: who asks while something is under way gets what is under way. */
static int method_attempt_update(sd_bus_message *message, void *userdata,
                                 _unused_ sd_bus_error *error)
{
        int r;

        r = manager_attempt(userdata, ATTEMPT_ON_DEMAND);
        if (r < 0 && r != -EBUSY)
                (void)log_error_errno(r, "starting an update attempt: %m");

        return sd_bus_reply_method_return(message, NULL);
}

static int method_reset_status(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
        int r;

        r = manager_reset(userdata);
        if (r == -EBUSY)
                return sd_bus_error_set(error, ERROR_BUSY,
                                        "an update is under way; wait for its end");
        if (r < 0)
                return r;

        return sd_bus_reply_method_return(message, NULL);
}

static int report_append(sd_bus_message *message, const UpdateReport *report)
{
        return sd_bus_message_append(message, "xdssx", report->last_checked, report->progress,
                                     update_status_to_string(report->status), report->new_version,
                                     report->new_size);
}

static int method_get_status(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const Manager *manager = userdata;
        int r;

        r = sd_bus_message_new_method_return(message, &reply);
        if (r < 0)
                return r;
        r = report_append(reply, &manager->report);
        if (r < 0)
                return r;

        return sd_bus_send(NULL, reply, NULL);
}

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("AttemptUpdate", NULL, NULL, method_attempt_update, 0),
        SD_BUS_METHOD("ResetStatus", NULL, NULL, method_reset_status, 0),
        SD_BUS_METHOD_WITH_ARGS("GetStatus", SD_BUS_NO_ARGS,
                                SD_BUS_RESULT("x", last_checked_time, "d", progress, "s",
                                              current_operation, "s", new_version, "x", new_size),
                                method_get_status, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("StatusUpdate",
                                SD_BUS_ARGS("x", last_checked_time, "d", progress, "s",
                                            current_operation, "s", new_version, "x", new_size),
                                0),
        SD_BUS_VTABLE_END,
};

int manager_bus_open(Manager *manager)
{
        int r;

        r = bus_open(manager->event, &manager->bus);
        if (r < 0)
                return r;
        r = sd_bus_add_object_vtable(manager->bus, NULL, UPDATE_BUS_PATH, UPDATE_BUS_IFACE,
                                     manager_vtable, manager);
        if (r < 0)
                return r;
        r = sd_bus_add_object_vtable(manager->bus, NULL, UPDATE_BUS_PATH, UPDATE_BUS_IFACE2,
                                     manager2_vtable, manager);
        if (r < 0)
                return r;

        r = sd_bus_request_name(manager->bus, UPDATE_BUS_NAME, 0);
        return r < 0 ? r : 0;
}

void manager_emit_status(Manager *manager)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        int r;

        r = sd_bus_message_new_signal(manager->bus, &message, UPDATE_BUS_PATH, UPDATE_BUS_IFACE,
                                      "StatusUpdate");
        if (r >= 0)
                r = report_append(message, &manager->report);
        if (r >= 0)
                r = sd_bus_send(manager->bus, message, NULL);
        if (r < 0)
                (void)log_warning_errno(r, "sending the signal StatusUpdate: %m");
}

static int on_reboot_reply(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        const sd_bus_error *failure = sd_bus_message_get_error(reply);

        if (failure)
                manager_reboot_refused(userdata,
                                       bus_error_text(failure, -sd_bus_message_get_errno(reply)));
        return 0;
}

int manager_bus_reboot(Manager *manager)
{
        return reboot_request_async(manager->bus, NULL, on_reboot_reply, manager);
}
