#include "client.h"
#include "base/bus.h"
#include "base/text.h"

static const char *const update_status_table[_UPDATE_STATUS_MAX] = {
        [UPDATE_STATUS_IDLE] = "UPDATE_STATUS_IDLE",
        [UPDATE_STATUS_CHECKING_FOR_UPDATE] = "UPDATE_STATUS_CHECKING_FOR_UPDATE",
        [UPDATE_STATUS_UPDATE_AVAILABLE] = "UPDATE_STATUS_UPDATE_AVAILABLE",
        [UPDATE_STATUS_DOWNLOADING] = "UPDATE_STATUS_DOWNLOADING",
        [UPDATE_STATUS_VERIFYING] = "UPDATE_STATUS_VERIFYING",
        [UPDATE_STATUS_FINALIZING] = "UPDATE_STATUS_FINALIZING",
        [UPDATE_STATUS_UPDATED_NEED_REBOOT] = "UPDATE_STATUS_UPDATED_NEED_REBOOT",
        [UPDATE_STATUS_REPORTING_ERROR_EVENT] = "UPDATE_STATUS_REPORTING_ERROR_EVENT",
};
DEFINE_STRING_TABLE(update_status, UpdateStatus);

void update_report_done(UpdateReport *report)
{
        free(report->new_version);
        *report = (UpdateReport) {};
}

int update_report_read(sd_bus_message *message, UpdateReport *ret)
{
        UpdateReport report = {};
        const char *status, *version;
        int r;

        r = sd_bus_message_read(message, "xdssx", &report.last_checked, &report.progress, &status,
                                &version, &report.new_size);
        if (r < 0)
                return -EBADMSG;

        report.status = update_status_from_string(status);
        report.new_version = strdup(version);
        if (!report.new_version)
                return -ENOMEM;

        *ret = report;
        return 0;
}

int update_client_get_status(sd_bus *bus, UpdateReport *ret, sd_bus_error *error)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_call_method(bus, UPDATE_BUS_NAME, UPDATE_BUS_PATH, UPDATE_BUS_IFACE, "GetStatus",
                               error, &reply, NULL);
        if (r < 0)
                return r;

        return update_report_read(reply, ret);
}

int update_client_call(sd_bus *bus, const char *method, sd_bus_error *error)
{
        int r;

        r = sd_bus_call_method(bus, UPDATE_BUS_NAME, UPDATE_BUS_PATH, UPDATE_BUS_IFACE, method,
                               error, NULL, NULL);
        return r < 0 ? r : 0;
}

int update_client_call2(sd_bus *bus, const char *method, sd_bus_error *error)
{
        int r;

        r = sd_bus_call_method(bus, UPDATE_BUS_NAME, UPDATE_BUS_PATH, UPDATE_BUS_IFACE2, method,
                               error, NULL, NULL);
        return r < 0 ? r : 0;
}

int update_client_get_status_async(sd_bus *bus, sd_bus_slot **ret, sd_bus_message_handler_t handler,
                                   void *userdata)
{
        int r;

        r = sd_bus_call_method_async(bus, ret, UPDATE_BUS_NAME, UPDATE_BUS_PATH, UPDATE_BUS_IFACE,
                                     "GetStatus", handler, userdata, NULL);
        return r < 0 ? r : 0;
}

int update_client_watch(sd_bus *bus, sd_bus_slot **ret, sd_bus_message_handler_t handler,
                        void *userdata)
{
        int r;

        r = sd_bus_match_signal(bus, ret, NULL, UPDATE_BUS_PATH, UPDATE_BUS_IFACE, "StatusUpdate",
                                handler, userdata);
        return r < 0 ? r : 0;
}

int update_client_get_good_async(sd_bus *bus, sd_bus_slot **ret, sd_bus_message_handler_t handler,
                                 void *userdata)
{
        int r;

        r = sd_bus_call_method_async(bus, ret, UPDATE_BUS_NAME, UPDATE_BUS_PATH,
                                     "org.freedesktop.DBus.Properties", "Get", handler, userdata,
                                     "ss", UPDATE_BUS_IFACE2, "RunningSlotGood");
        return r < 0 ? r : 0;
}

static void update_slot_done(UpdateSlot *slot)
{
        free(slot->name);
        free(slot->label);
        free(slot->version);
        free(slot->packages);
        *slot = (UpdateSlot) {};
}

void update_slots_done(UpdateSlots *slots)
{
        for (size_t i = 0; i < slots->n_slots; i++)
                update_slot_done(&slots->slots[i]);
        free(slots->slots);
        *slots = (UpdateSlots) {};
}

/* Reads one (sssttbbb). Returns 1, or 0 at the end of the array. */
static int update_slot_read(sd_bus_message *message, UpdateSlot *ret)
{
        _cleanup_(update_slot_done) UpdateSlot slot = {};
        const char *name, *label, *version;
        int successful, running, target, r;

        r = sd_bus_message_read(message, "(sssttbbb)", &name, &label, &version, &slot.priority,
                                &slot.tries, &successful, &running, &target);
        if (r <= 0)
                return r;

        slot.name = strdup(name);
        slot.label = strdup(label);
        slot.version = strdup(version);
        slot.packages = strdup("");
        if (!slot.name || !slot.label || !slot.version || !slot.packages)
                return -ENOMEM;
        slot.successful = successful;
        slot.running = running;
        slot.target = target;

        *ret = slot;
        slot = (UpdateSlot) {};
        return 1;
}

static int update_slots_read(sd_bus_message *message, UpdateSlots *ret)
{
        _cleanup_(update_slots_done) UpdateSlots slots = {};
        int r;

        r = sd_bus_message_enter_container(message, 'a', "(sssttbbb)");
        if (r < 0)
                return r;

        for (;;) {
                UpdateSlot slot, *grown;

                r = update_slot_read(message, &slot);
                if (r < 0)
                        return r;
                if (r == 0)
                        break;

                grown = reallocarray(slots.slots, slots.n_slots + 1, sizeof(UpdateSlot));
                if (!grown) {
                        update_slot_done(&slot);
                        return -ENOMEM;
                }
                slots.slots = grown;
                slots.slots[slots.n_slots++] = slot;
        }

        *ret = slots;
        slots = (UpdateSlots) {};
        return 0;
}

static int update_slot_add_package(UpdateSlot *slot, const char *name)
{
        char *longer;

        if (text_format(&longer, "%s%s%s", slot->packages, *slot->packages ? ", " : "", name) < 0)
                return -ENOMEM;
        free(slot->packages);
        slot->packages = longer;
        return 0;
}

/* a(sss): version, name and directory of each image. */
static int update_packages_read(sd_bus_message *message, UpdateSlots *slots)
{
        const char *version, *name, *directory;
        int r;

        r = sd_bus_message_enter_container(message, 'a', "(sss)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(message, "(sss)", &version, &name, &directory)) > 0)
                for (size_t i = 0; i < slots->n_slots; i++)
                        if (streq(slots->slots[i].version, version)
                            && update_slot_add_package(&slots->slots[i], name) < 0)
                                return -ENOMEM;
        return r;
}

static int update_client_get_packages(sd_bus *bus, UpdateSlots *slots, sd_bus_error *error)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_get_property(bus, UPDATE_BUS_NAME, UPDATE_BUS_PATH, UPDATE_BUS_IFACE2,
                                "Packages", error, &reply, "a(sss)");
        return r < 0 ? r : update_packages_read(reply, slots);
}

int update_client_get_slots(sd_bus *bus, UpdateSlots *ret, sd_bus_error *error)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(update_slots_done) UpdateSlots slots = {};
        int r;

        r = sd_bus_get_property(bus, UPDATE_BUS_NAME, UPDATE_BUS_PATH, UPDATE_BUS_IFACE2, "Slots",
                                error, &reply, "a(sssttbbb)");
        if (r < 0)
                return r;

        r = update_slots_read(reply, &slots);
        if (r >= 0)
                r = update_client_get_packages(bus, &slots, error);
        if (r < 0)
                return r;

        *ret = slots;
        slots = (UpdateSlots) {};
        return 0;
}
