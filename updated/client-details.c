#include "client-details.h"
#include "base/text.h"

void client_details_done(ClientDetails *details)
{
        update_report_done(&details->report);
        update_slots_done(&details->slots);
        free(details->running_version);
        free(details->channel);
        free(details->trial);
        free(details->trial_text);
        free(details->error_text);
        for (size_t i = 0; i < details->n_settings; i++) {
                free(details->settings[i].name);
                free(details->settings[i].value);
                free(details->settings[i].origin);
        }
        *details = (ClientDetails) {};
}

int client_error_get(sd_bus *bus, int32_t *ret_code, char **ret_text, sd_bus_error *error)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *text;
        int32_t code;
        int r;

        r = sd_bus_get_property(bus, UPDATE_BUS_NAME, UPDATE_BUS_PATH, UPDATE_BUS_IFACE2,
                                "LastError", error, &reply, "(is)");
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "(is)", &code, &text);
        if (r < 0)
                return r;
        r = text_set(ret_text, text);
        if (r < 0)
                return r;

        *ret_code = code;
        return 0;
}

static int text_property_get(sd_bus *bus, const char *name, char **ret, sd_bus_error *error)
{
        int r;

        r = sd_bus_get_property_string(bus, UPDATE_BUS_NAME, UPDATE_BUS_PATH, UPDATE_BUS_IFACE2,
                                       name, error, ret);
        return r < 0 ? r : 0;
}

int client_chooser_get(sd_bus *bus, char **ret, sd_bus_error *error)
{
        return text_property_get(bus, "BootChooser", ret, error);
}

static int trial_get(sd_bus *bus, ClientDetails *details, sd_bus_error *error)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *word, *text;
        int r;

        r = sd_bus_get_property(bus, UPDATE_BUS_NAME, UPDATE_BUS_PATH, UPDATE_BUS_IFACE2, "Trial",
                                error, &reply, "(ss)");
        if (r >= 0)
                r = sd_bus_message_read(reply, "(ss)", &word, &text);
        if (r >= 0)
                r = text_set(&details->trial, word);
        if (r >= 0)
                r = text_set(&details->trial_text, text);
        return r < 0 ? r : 0;
}

static int settings_read(sd_bus_message *reply, ClientDetails *details)
{
        const char *name, *value, *origin;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "(sss)");
        if (r < 0)
                return r;

        while (details->n_settings < CLIENT_SETTINGS_MAX) {
                ClientSetting *setting = &details->settings[details->n_settings];

                r = sd_bus_message_read(reply, "(sss)", &name, &value, &origin);
                if (r <= 0)
                        return r;
                details->n_settings++;
                r = text_set(&setting->name, name);
                if (r >= 0)
                        r = text_set(&setting->value, value);
                if (r >= 0)
                        r = text_set(&setting->origin, origin);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int settings_get(sd_bus *bus, ClientDetails *details, sd_bus_error *error)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_get_property(bus, UPDATE_BUS_NAME, UPDATE_BUS_PATH, UPDATE_BUS_IFACE2,
                                "Settings", error, &reply, "a(sss)");
        return r < 0 ? r : settings_read(reply, details);
}

static int numbers_get(sd_bus *bus, ClientDetails *details, sd_bus_error *error)
{
        const struct {
                const char *name;
                uint64_t *target;
        } numbers[] = {
                { "NextCheck", &details->next_check },   { "BytesDone", &details->bytes_done },
                { "BytesTotal", &details->bytes_total }, { "Speed", &details->speed },
                { "TimeLeft", &details->time_left },     { "Rounds", &details->rounds },
                { "NotBefore", &details->not_before },
        };
        int paused, r;

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                r = sd_bus_get_property_trivial(bus, UPDATE_BUS_NAME, UPDATE_BUS_PATH,
                                                UPDATE_BUS_IFACE2, numbers[i].name, error, 't',
                                                numbers[i].target);
                if (r < 0)
                        return r;
        }
        r = sd_bus_get_property_trivial(bus, UPDATE_BUS_NAME, UPDATE_BUS_PATH, UPDATE_BUS_IFACE2,
                                        "Paused", error, 'b', &paused);
        if (r < 0)
                return r;
        details->paused = paused;
        return 0;
}

static int failures_get(sd_bus *bus, ClientDetails *details, sd_bus_error *error)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const void *failures;
        size_t size;
        int r;

        r = sd_bus_get_property(bus, UPDATE_BUS_NAME, UPDATE_BUS_PATH, UPDATE_BUS_IFACE2,
                                "AddressFailures", error, &reply, "au");
        if (r >= 0)
                r = sd_bus_message_read_array(reply, 'u', &failures, &size);
        if (r < 0)
                return r;

        size = MIN_OF(size, sizeof(details->failures));
        memcpy(details->failures, failures, size);
        details->n_failures = size / sizeof(details->failures[0]);
        return 0;
}

int client_details_get(sd_bus *bus, ClientDetails *ret, sd_bus_error *error)
{
        _cleanup_(client_details_done) ClientDetails details = {};
        int r;

        r = update_client_get_status(bus, &details.report, error);
        if (r >= 0)
                r = update_client_get_slots(bus, &details.slots, error);
        if (r >= 0)
                r = text_property_get(bus, "RunningVersion", &details.running_version, error);
        if (r >= 0)
                r = text_property_get(bus, "Channel", &details.channel, error);
        if (r >= 0)
                r = settings_get(bus, &details, error);
        if (r >= 0)
                r = client_error_get(bus, &details.error_code, &details.error_text, error);
        if (r >= 0)
                r = trial_get(bus, &details, error);
        if (r >= 0)
                r = numbers_get(bus, &details, error);
        if (r >= 0)
                r = failures_get(bus, &details, error);
        if (r < 0)
                return r;

        *ret = details;
        details = (ClientDetails) {};
        return 0;
}
