#include <stdio.h>

#include "base/log.h"
#include "base/program.h"
#include "client-connect.h"
#include "client-follow.h"
#include "client-history.h"
#include "client-show.h"

static bool arg_json = false;

/* The classic flags. */
static bool arg_status = false;
static bool arg_update = false;
static bool arg_check = false;
static bool arg_reset = false;
static bool arg_watch = false;

/* Verbs that are one method without arguments, and what they say when it is done. */
static const struct {
        const char *verb;
        int (*call)(sd_bus *bus, const char *method, sd_bus_error *error);
        const char *method, *done;
} commands[] = {
        { "check", update_client_call, "AttemptUpdate", "Update check initiated." },
        { "reset-status", update_client_call, "ResetStatus",
          "The status is reset. A slot that was written boots next all "
          "the same, until another update begins." },
        { "rollback", update_client_call2, "Rollback",
          "The version before boots next -- reboot needed." },
        { "cancel", update_client_call2, "Cancel", "The update is cancelled." },
        { "pause", update_client_call2, "Pause",
          "Nothing is checked by itself any more, until \"resume\"." },
        { "resume", update_client_call2, "Resume", "Checks by schedule go on." },
        { "mark-good", update_client_call2, "MarkGood",
          "The version that runs is marked good: the boot loader keeps it." },
};

static int command_run(const char *verb)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        size_t i = 0;
        int r;

        while (!streq(commands[i].verb, verb))
                i++;
        r = client_open(&bus);
        if (r < 0)
                return r;
        r = commands[i].call(bus, commands[i].method, &error);
        if (r < 0)
                return client_failed(verb, &error, r);

        log_info("%s", commands[i].done);
        return EXIT_DONE;
}

static int verb_command(_unused_ int argc, char **argv)
{
        return command_run(argv[0]);
}

static int get_details(sd_bus *bus, void *ret, sd_bus_error *error)
{
        return client_details_get(bus, ret, error);
}

typedef struct SlotsAndChooser {
        UpdateSlots slots;
        char *chooser;
} SlotsAndChooser;

static void slots_and_chooser_done(SlotsAndChooser *all)
{
        update_slots_done(&all->slots);
        free(all->chooser);
}

static int get_slots(sd_bus *bus, void *ret, sd_bus_error *error)
{
        SlotsAndChooser *all = ret;
        int r;

        r = update_client_get_slots(bus, &all->slots, error);
        return r < 0 ? r : client_chooser_get(bus, &all->chooser, error);
}

static int get_history(sd_bus *bus, void *ret, sd_bus_error *error)
{
        return client_history_get(bus, ret, error);
}

static int get_status(sd_bus *bus, void *ret, sd_bus_error *error)
{
        return update_client_get_status(bus, ret, error);
}

static int verb_status(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(client_details_done) ClientDetails details = {};
        int r;

        r = client_get(get_details, &details);
        if (r < 0)
                return r;

        if (arg_json)
                return client_show_details_json(&details);
        client_show_details(&details);
        return EXIT_DONE;
}

static int verb_slots(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(slots_and_chooser_done) SlotsAndChooser all = {};
        int r;

        r = client_get(get_slots, &all);
        if (r < 0)
                return r;

        if (arg_json)
                return client_show_slots_json(&all.slots);
        if (all.slots.n_slots == 0)
                return log_error_return(-ENODEV,
                                        "updated can not tell which slot runs; its log says "
                                        "why");
        client_show_slots(&all.slots, all.chooser);
        return EXIT_DONE;
}

static int client_follow(int (*follow)(sd_bus *bus, FollowStyle style), FollowStyle style)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = client_open(&bus);
        return r < 0 ? r : follow(bus, style);
}

static int verb_update(_unused_ int argc, _unused_ char **argv)
{
        return client_follow(client_update, arg_json ? FOLLOW_JSON : FOLLOW_PEOPLE);
}

static int verb_watch(_unused_ int argc, _unused_ char **argv)
{
        return client_follow(client_watch, arg_json ? FOLLOW_JSON : FOLLOW_PEOPLE);
}

static int verb_install(_unused_ int argc, char **argv)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = client_open(&bus);
        return r < 0 ? r : client_install(bus, argv[1], arg_json ? FOLLOW_JSON : FOLLOW_PEOPLE);
}

static int verb_set_channel(_unused_ int argc, char **argv)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = client_open(&bus);
        if (r < 0)
                return r;
        r = sd_bus_call_method(bus, UPDATE_BUS_NAME, UPDATE_BUS_PATH, UPDATE_BUS_IFACE2,
                               "SetChannel", &error, NULL, "s", argv[1]);
        if (r < 0)
                return client_failed("set-channel", &error, r);

        log_info("The channel is %s from the next check on.", argv[1]);
        return EXIT_DONE;
}

static int verb_history(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(history_done) History history = {};
        int r;

        r = client_get(get_history, &history);
        if (r < 0)
                return r;

        if (arg_json)
                return client_history_show_json(&history);
        client_history_show(&history);
        return EXIT_DONE;
}

static int classic_status(void)
{
        _cleanup_(update_report_done) UpdateReport report = {};
        int r;

        r = client_get(get_status, &report);
        if (r < 0)
                return r;

        client_show_report_classic(&report);
        return EXIT_DONE;
}

/* No verb: the classic flags, in the order in which the original looks at them; none of them: status. */
static int run(int argc, char **argv)
{
        if (arg_reset)
                return command_run("reset-status");
        if (arg_status)
                return classic_status();
        if (arg_update)
                return client_follow(client_update, FOLLOW_CLASSIC);
        if (arg_check)
                return command_run("check");
        if (arg_watch)
                return client_follow(client_watch, FOLLOW_CLASSIC);
        return verb_status(argc, argv);
}

int main(int argc, char **argv)
{
        static const Option options[] = {
                { "json", 0, OPTION_FLAG, &arg_json, NULL, "print JSON", 0 },
                { "status", 0, OPTION_FLAG, &arg_status, NULL, "classic: five KEY=VALUE lines", 0 },
                { "update", 0, OPTION_FLAG, &arg_update, NULL,
                  "classic: update, lines until its end", 0 },
                { "check_for_update", 0, OPTION_FLAG, &arg_check, NULL, "classic: as check", 0 },
                { "reset_status", 0, OPTION_FLAG, &arg_reset, NULL, "classic: as reset-status", 0 },
                { "watch_for_updates", 0, OPTION_FLAG, &arg_watch, NULL,
                  "classic: every signal on standard error", 0 },
                {},
        };
        static const Verb verbs[] = {
                { "status", "", 0, 0, NULL, "show what is going on (default)", verb_status },
                { "check", "", 0, 0, NULL, "look for an update now, do not wait", verb_command },
                { "update", "", 0, 0, NULL, "update now, and wait for the end", verb_update },
                { "watch", "", 0, 0, NULL, "show every change until Ctrl-C", verb_watch },
                { "slots", "", 0, 0, NULL, "show the two slots", verb_slots },
                { "history", "", 0, 0, NULL, "show what became of the last updates", verb_history },
                { "install", "FILE|URL", 1, 1, NULL, "install this payload, and wait for the end",
                  verb_install },
                { "rollback", "", 0, 0, NULL, "let the version before boot next", verb_command },
                { "mark-good", "", 0, 0, NULL, "end the trial of what runs: it is good",
                  verb_command },
                { "cancel", "", 0, 0, NULL, "stop the update that is under way", verb_command },
                { "set-channel", "NAME", 1, 1, NULL, "follow another channel", verb_set_channel },
                { "pause", "", 0, 0, NULL, "no checks by schedule until resume", verb_command },
                { "resume", "", 0, 0, NULL, "check by schedule again", verb_command },
                { "reset-status", "", 0, 0, NULL, "forget an update that waits for a reboot",
                  verb_command },
                {},
        };
        static const Program program = {
                .name = "update-engine-client",
                .synopsis = "[COMMAND] [OPTION...]",
                .summary = "Asks and commands the update daemon of this host.",
                .options = options,
                .verbs = verbs,
                .run = run,
                .single_dash = true,
                .footer = "The classic options may be written with one dash: -status.",
        };

        return program_run(&program, argc, argv);
}
