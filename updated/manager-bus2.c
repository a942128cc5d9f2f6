#include "base/bus.h"
#include "base/log.h"
#include "manager.h"

#define ERROR_BUSY    UPDATE_BUS_NAME ".Error.Busy"
#define ERROR_REFUSED UPDATE_BUS_NAME ".Error.Refused"

static int slot_append(sd_bus_message *reply, Manager *manager, size_t i)
{
        const GptPartition *slot = &manager->slots.gpt.partitions[i];
        const BootState *boot = i == manager->slots.running ? &manager->slots.running_state
                                                            : &manager->slots.target_state;
        char **version = state_slot_version(&manager->state, slot_name(slot));

        return sd_bus_message_append(reply, "(sssttbbb)", slot_name(slot), slot->label,
                                     version && *version ? *version : "", (uint64_t)boot->priority,
                                     (uint64_t)boot->tries, (int)boot->good,
                                     (int)(i == manager->slots.running),
                                     (int)(i == manager->slots.target));
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

/* What is in its place; what is on its way is not told. */
static int property_get_packages(_unused_ sd_bus *bus, _unused_ const char *path,
                                 _unused_ const char *interface, _unused_ const char *property,
                                 sd_bus_message *reply, void *userdata,
                                 _unused_ sd_bus_error *error)
{
        _cleanup_(package_record_done) PackageRecord record = {};
        const Manager *manager = userdata;
        int r;

        r = package_record_read(manager->root, &record);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(sss)");
        for (size_t i = 0; i < record.n_items && r >= 0; i++)
                if (package_is_there(manager->root, &record.items[i]))
                        r = sd_bus_message_append(reply, "(sss)", record.items[i].version,
                                                  record.items[i].name, record.items[i].directory);
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

/* "" while it is not known which partitions are the slots. */
static int property_get_chooser(_unused_ sd_bus *bus, _unused_ const char *path,
                                _unused_ const char *interface, _unused_ const char *property,
                                sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        const Manager *manager = userdata;
        const BootChooser *chooser = manager->slots.chooser;

        return sd_bus_message_append(reply, "s",
                                     chooser ? boot_chooser_type_to_string(chooser->type) : "");
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

static uint64_t manager_bytes(const Manager *manager)
{
        return manager->attempt ? manager->attempt->bytes : 0;
}

static uint64_t manager_total(const Manager *manager)
{
        return manager->attempt ? attempt_total(manager->attempt) : 0;
}

/* The numbers of the download under way; all 0 when there is none. */
static int property_get_number(_unused_ sd_bus *bus, _unused_ const char *path,
                               _unused_ const char *interface, const char *property,
                               sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        const Manager *manager = userdata;
        uint64_t bytes = manager_bytes(manager), total = manager_total(manager);
        const struct {
                const char *name;
                uint64_t value;
        } numbers[] = {
                { "BytesDone", bytes },
                { "BytesTotal", total },
                { "Speed", manager->rate.per_second },
                { "TimeLeft", rate_time_left(&manager->rate, bytes, total) },
        };

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                if (streq(property, numbers[i].name))
                        return sd_bus_message_append(reply, "t", numbers[i].value);
        return -ENOENT;
}

/* What is remembered of the offer; without memory of it all is 0. */
static Retries manager_retries(const Manager *manager)
{
        Retries retries = {};

        if (manager->state.retries && retries_parse(manager->state.retries, &retries) < 0)
                return (Retries) {};
        return retries;
}

static int property_get_retries(_unused_ sd_bus *bus, _unused_ const char *path,
                                _unused_ const char *interface, const char *property,
                                sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        Retries retries = manager_retries(userdata);

        return sd_bus_message_append(
                reply, "t", streq(property, "Rounds") ? retries.rounds : retries.not_before);
}

static int property_get_failures(_unused_ sd_bus *bus, _unused_ const char *path,
                                 _unused_ const char *interface, _unused_ const char *property,
                                 sd_bus_message *reply, void *userdata,
                                 _unused_ sd_bus_error *error)
{
        Retries retries = manager_retries(userdata);

        return sd_bus_message_append_array(reply, 'u', retries.failures,
                                           retries.n_urls * sizeof(retries.failures[0]));
}

static int property_get_paused(_unused_ sd_bus *bus, _unused_ const char *path,
                               _unused_ const char *interface, _unused_ const char *property,
                               sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        const Manager *manager = userdata;

        return sd_bus_message_append(reply, "b", (int)(manager->state.paused != NULL));
}

/* (ss): a word for programs ("" when what runs is good), and a sentence. */
static int property_get_trial(_unused_ sd_bus *bus, _unused_ const char *path,
                              _unused_ const char *interface, _unused_ const char *property,
                              sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        const Manager *manager = userdata;

        if (manager->trial)
                return sd_bus_message_append(reply, "(ss)", "running", trial_text(manager->trial));
        return sd_bus_message_append(reply, "(ss)", manager->ill ? "failed" : "",
                                     manager->ill ? manager->ill : "");
}

/* Answers a command: done, or why not. Takes the failure over. */
static int command_reply(sd_bus_message *message, int r, UpdateFailure *failure,
                         sd_bus_error *error)
{
        _cleanup_(update_failure_done) UpdateFailure owned = *failure;

        if (r < 0)
                return sd_bus_error_set(error, r == -EBUSY ? ERROR_BUSY : ERROR_REFUSED,
                                        owned.code == UPDATE_ERROR_NONE
                                                ? strerror(-r)
                                                : update_failure_text(&owned));
        return sd_bus_reply_method_return(message, NULL);
}

static int method_cancel(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
        UpdateFailure failure = {};
        int r = manager_cancel(userdata, &failure);

        return command_reply(message, r, &failure, error);
}

static int method_rollback(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
        UpdateFailure failure = {};
        int r = manager_rollback(userdata, &failure);

        return command_reply(message, r, &failure, error);
}

static int method_pause(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
        UpdateFailure failure = {};
        int r = manager_set_paused(userdata, true, &failure);

        return command_reply(message, r, &failure, error);
}

static int method_mark_good(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
        UpdateFailure failure = {};
        int r = manager_mark_good(userdata, &failure);

        return command_reply(message, r, &failure, error);
}

static int method_resume(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
        UpdateFailure failure = {};
        int r = manager_set_paused(userdata, false, &failure);

        return command_reply(message, r, &failure, error);
}

static int method_set_channel(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
        UpdateFailure failure = {};
        const char *channel;
        int r;

        r = sd_bus_message_read(message, "s", &channel);
        if (r >= 0)
                r = manager_set_channel(userdata, channel, &failure);
        return command_reply(message, r, &failure, error);
}

/* A variant: h is an open file, s an URL. A path would be opened with rights that its sender may not have. */
static int method_install(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
        UpdateFailure failure = {};
        const char *contents, *url = NULL;
        int fd = -1, r;

        r = sd_bus_message_peek_type(message, NULL, &contents);
        if (r < 0)
                return r;
        if (!streq(contents, "h") && !streq(contents, "s"))
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                                        "Install wants a variant: h, an open file, or s, an URL");
        r = streq(contents, "s") ? sd_bus_message_read(message, "v", "s", &url)
                                 : sd_bus_message_read(message, "v", "h", &fd);
        if (r >= 0)
                r = manager_install(userdata, url, fd, &failure);
        return command_reply(message, r, &failure, error);
}

static int history_append(sd_bus_message *reply, const History *history)
{
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(tstuss)");
        for (size_t i = 0; i < history->n_entries && r >= 0; i++) {
                const HistoryEntry *entry = &history->entries[i];

                r = sd_bus_message_append(reply, "(tstuss)", entry->when,
                                          history_outcome_to_string(entry->outcome), entry->count,
                                          entry->code, entry->version, entry->text);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int method_get_history(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(history_done) History history = {};
        const Manager *manager = userdata;
        int r;

        r = history_read(manager->root, &history);
        if (r >= 0)
                r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = history_append(reply, &history);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

const sd_bus_vtable manager2_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Cancel", NULL, NULL, method_cancel, 0),
        SD_BUS_METHOD("Rollback", NULL, NULL, method_rollback, 0),
        SD_BUS_METHOD("Pause", NULL, NULL, method_pause, 0),
        SD_BUS_METHOD("Resume", NULL, NULL, method_resume, 0),
        SD_BUS_METHOD("MarkGood", NULL, NULL, method_mark_good, 0),
        SD_BUS_METHOD_WITH_ARGS("SetChannel", SD_BUS_ARGS("s", channel), SD_BUS_NO_RESULT,
                                method_set_channel, 0),
        SD_BUS_METHOD_WITH_ARGS("Install", SD_BUS_ARGS("v", payload), SD_BUS_NO_RESULT,
                                method_install, 0),
        SD_BUS_METHOD_WITH_ARGS("GetHistory", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(tstuss)", attempts),
                                method_get_history, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Slots", "a(sssttbbb)", property_get_slots, 0, CHANGES),
        SD_BUS_PROPERTY("BootChooser", "s", property_get_chooser, 0, CHANGES),
        SD_BUS_PROPERTY("Packages", "a(sss)", property_get_packages, 0, CHANGES),
        SD_BUS_PROPERTY("RunningSlotGood", "b", property_get_good, 0, CHANGES),
        SD_BUS_PROPERTY("RunningVersion", "s", property_get_version, 0, CHANGES),
        SD_BUS_PROPERTY("Channel", "s", property_get_channel, 0, CHANGES),
        SD_BUS_PROPERTY("Settings", "a(sss)", property_get_settings, 0, CHANGES),
        SD_BUS_PROPERTY("LastError", "(is)", property_get_last_error, 0, CHANGES),
        SD_BUS_PROPERTY("NextCheck", "t", property_get_next_check, 0, CHANGES),
        SD_BUS_PROPERTY("BytesDone", "t", property_get_number, 0, CHANGES),
        SD_BUS_PROPERTY("BytesTotal", "t", property_get_number, 0, CHANGES),
        SD_BUS_PROPERTY("Speed", "t", property_get_number, 0, CHANGES),
        SD_BUS_PROPERTY("TimeLeft", "t", property_get_number, 0, CHANGES),
        SD_BUS_PROPERTY("Rounds", "t", property_get_retries, 0, CHANGES),
        SD_BUS_PROPERTY("NotBefore", "t", property_get_retries, 0, CHANGES),
        SD_BUS_PROPERTY("AddressFailures", "au", property_get_failures, 0, CHANGES),
        SD_BUS_PROPERTY("Trial", "(ss)", property_get_trial, 0, CHANGES),
        SD_BUS_PROPERTY("Paused", "b", property_get_paused, 0, CHANGES),
        SD_BUS_VTABLE_END,
};

void manager_emit_progress(Manager *manager)
{
        static const char *const numbers[] = { "BytesDone", "BytesTotal", "Speed", "TimeLeft",
                                               NULL };

        manager_emit_changed(manager, numbers);
}

void manager_emit_changed(Manager *manager, const char *const *properties)
{
        int r;

        r = sd_bus_emit_properties_changed_strv(manager->bus, UPDATE_BUS_PATH, UPDATE_BUS_IFACE2,
                                                (char **)properties);
        if (r < 0)
                (void)log_warning_errno(r, "sending the signal PropertiesChanged: %m");
}
