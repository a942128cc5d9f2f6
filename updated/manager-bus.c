#include "base/bus.h"
#include "base/log.h"
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

static int slot_append(sd_bus_message *reply, Manager *manager, size_t i)
{
        const GptPartition *slot = &manager->slots.gpt.partitions[i];
        char **version = state_slot_version(&manager->state, slot_name(slot));

        return sd_bus_message_append(
                reply, "(sssttbbb)", slot_name(slot), slot->label,
                version && *version ? *version : "", (uint64_t)gpt_priority(slot->attributes),
                (uint64_t)gpt_tries(slot->attributes), (int)gpt_successful(slot->attributes),
                (int)(i == manager->slots.running), (int)(i == manager->slots.target));
}

/* In the order in which they are on the disk. */
static int property_get_slots(_unused_ sd_bus *bus, _unused_ const char *path,
                              _unused_ const char *interface, _unused_ const char *property,
                              sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        Manager *manager = userdata;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(sssttbbb)");
        for (size_t i = 0; i < manager->slots.gpt.n_partitions && r >= 0; i++)
                if (i == manager->slots.running || i == manager->slots.target)
                        r = slot_append(reply, manager, i);
        if (r < 0)
                return r;

        return sd_bus_message_close_container(reply);
}

static int property_get_good(_unused_ sd_bus *bus, _unused_ const char *path,
                             _unused_ const char *interface, _unused_ const char *property,
                             sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        const Manager *manager = userdata;

        return sd_bus_message_append(reply, "b",
                                     (int)(manager->slots.gpt.n_partitions > 0
                                           && slots_running_is_good(&manager->slots)));
}

static int property_get_version(_unused_ sd_bus *bus, _unused_ const char *path,
                                _unused_ const char *interface, _unused_ const char *property,
                                sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        const Manager *manager = userdata;

        return sd_bus_message_append(reply, "s", manager->host.version);
}

static int property_get_channel(_unused_ sd_bus *bus, _unused_ const char *path,
                                _unused_ const char *interface, _unused_ const char *property,
                                sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        const Manager *manager = userdata;

        return sd_bus_message_append(reply, "s", manager->config.group);
}

/* What of update.conf is worth a look in "status". Everybody may read it here: no password of a URL. */
static int property_get_settings(_unused_ sd_bus *bus, _unused_ const char *path,
                                 _unused_ const char *interface, _unused_ const char *property,
                                 sd_bus_message *reply, void *userdata,
                                 _unused_ sd_bus_error *error)
{
        const Config *config = &((const Manager *)userdata)->config;
        _cleanup_free_ char *server = NULL;
        int r;

        r = config->server ? http_url_for_log(config->server, &server) : 0;
        if (r < 0)
                return r;

        return sd_bus_message_append(reply, "a(sss)", 2, "SERVER", server ? server : "disabled",
                                     config_origin(config, "SERVER"), "GROUP", config->group,
                                     config_origin(config, "GROUP"));
}

static int property_get_last_error(_unused_ sd_bus *bus, _unused_ const char *path,
                                   _unused_ const char *interface, _unused_ const char *property,
                                   sd_bus_message *reply, void *userdata,
                                   _unused_ sd_bus_error *error)
{
        const UpdateFailure *failure = &((const Manager *)userdata)->last_error;
        bool none = failure->code == UPDATE_ERROR_NONE;

        return sd_bus_message_append(reply, "(is)", (int32_t)omaha_error_number(failure),
                                     none ? "" : update_failure_text(failure));
}

static int property_get_next_check(_unused_ sd_bus *bus, _unused_ const char *path,
                                   _unused_ const char *interface, _unused_ const char *property,
                                   sd_bus_message *reply, void *userdata,
                                   _unused_ sd_bus_error *error)
{
        const Manager *manager = userdata;

        return sd_bus_message_append(reply, "t", (uint64_t)(manager->next_check / USEC_PER_SEC));
}

#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable manager2_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Slots", "a(sssttbbb)", property_get_slots, 0, CHANGES),
        SD_BUS_PROPERTY("RunningSlotGood", "b", property_get_good, 0, CHANGES),
        SD_BUS_PROPERTY("RunningVersion", "s", property_get_version, 0, CHANGES),
        SD_BUS_PROPERTY("Channel", "s", property_get_channel, 0, CHANGES),
        SD_BUS_PROPERTY("Settings", "a(sss)", property_get_settings, 0, 0),
        SD_BUS_PROPERTY("LastError", "(is)", property_get_last_error, 0, CHANGES),
        SD_BUS_PROPERTY("NextCheck", "t", property_get_next_check, 0, CHANGES),
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

        /* Last: whoever sees the name sees a daemon that knows everything already. */
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

void manager_emit_changed(Manager *manager, const char *const *properties)
{
        int r;

        r = sd_bus_emit_properties_changed_strv(manager->bus, UPDATE_BUS_PATH, UPDATE_BUS_IFACE2,
                                                (char **)properties);
        if (r < 0)
                (void)log_warning_errno(r, "sending the signal PropertiesChanged: %m");
}
