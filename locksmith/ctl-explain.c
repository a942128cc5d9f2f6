#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include "base/bus.h"
#include "base/env-file.h"
#include "base/io.h"
#include "base/log.h"
#include "coordinator.h"
#include "ctl-explain.h"
#include "ctl-table.h"
#include "duration.h"
#include "updated/client.h"

static const char *const verdict_words[_VERDICT_MAX] = {
        [VERDICT_OPEN] = "open",
        [VERDICT_CLOSED] = "closed",
        [VERDICT_UNKNOWN] = "unknown",
};

Gate *gate_add(Gates *gates, const char *name, Verdict verdict, const char *format, ...)
{
        Gate *gate = &gates->gates[gates->n_gates];
        va_list arguments;

        assert(gates->n_gates < GATES_MAX);
        gates->n_gates++;
        gate->name = name;
        gate->verdict = verdict;
        va_start(arguments, format);
        (void)vsnprintf(gate->why, sizeof(gate->why), format, arguments); /* cut is fine */
        va_end(arguments);
        return gate;
}

/* Is somebody coordinator? The file is locked as long as its owner lives. */
static bool coordinator_lives(const char *root)
{
        _cleanup_close_ int fd = root_open(root, COORDINATOR_FILE, O_RDONLY, 0);

        return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static void explain_daemon(Gates *gates, const Settings *settings)
{
        _cleanup_(env_file_done) EnvFile file = {};
        const char *name, *state, *reason;

        if (!coordinator_lives(settings->root)) {
                gate_add(gates, "coordinator", VERDICT_CLOSED,
                         "locksmithd does not run on this host");
                return;
        }
        if (env_file_read(settings->root, COORDINATOR_FILE, NULL, NULL, &file) < 0) {
                gate_add(gates, "coordinator", VERDICT_UNKNOWN, "%s can not be read",
                         COORDINATOR_FILE);
                return;
        }

        name = env_file_get(&file, "NAME");
        state = env_file_get(&file, "STATE");
        reason = env_file_get(&file, "REASON");
        gate_add(gates, "coordinator", VERDICT_OPEN, "%s: %s%s%s", name ? name : "?",
                 state ? state : "?", reason ? ", " : "", reason ? reason : "");
}

static void explain_strategy(Gates *gates, const Settings *settings)
{
        bool off = settings->strategy == STRATEGY_OFF;

        gate_add(gates, "strategy", off ? VERDICT_CLOSED : VERDICT_OPEN, "%s (%s)",
                 strategy_to_string(settings->strategy),
                 settings_origin(settings, "REBOOT_STRATEGY"));
}

static void explain_update(Gates *gates, sd_bus *bus)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(update_report_done) UpdateReport report = {};
        const char *word;
        int r;

        r = bus ? update_client_get_status(bus, &report, &error) : -ENOTCONN;
        if (r < 0) {
                gate_add(gates, "update", VERDICT_UNKNOWN, "the update daemon can not be asked: %s",
                         bus_error_text(&error, r));
                return;
        }

        word = update_status_to_string(report.status);
        if (report.status == UPDATE_STATUS_UPDATED_NEED_REBOOT)
                gate_add(gates, "update", VERDICT_OPEN, "version %s waits for a reboot",
                         report.new_version);
        else
                gate_add(gates, "update", VERDICT_CLOSED, "nothing waits for a reboot: %s",
                         word ? word : "?");
}

static void explain_window(Gates *gates, const Settings *settings, usec_t now)
{
        usec_t takes = duration_expected(settings), change;
        const Windows *windows = &settings->windows;
        bool open = windows_have_room(windows, now, takes);
        char span[TIMESPAN_MAX];
        Gate *gate;

        if (windows->n_windows == 0 && windows->n_blackouts == 0)
                gate = gate_add(gates, "window", VERDICT_OPEN, "none is set: at any time");
        else
                gate = gate_add(
                        gates, "window", open ? VERDICT_OPEN : VERDICT_CLOSED,
                        "%s%s%s%s%s%s%s (%s)%s%s",
                        settings->has_window ? settings->window_start : "",
                        settings->has_window ? " for " : "",
                        settings->has_window ? settings->window_length : "",
                        settings->has_window && settings->windows_text ? "; " : "",
                        settings->windows_text ? settings->windows_text : "",
                        settings->blackout_text ? " without " : "",
                        settings->blackout_text ? settings->blackout_text : "",
                        settings_origin(settings, settings->has_window     ? "REBOOT_WINDOW_START"
                                                  : settings->windows_text ? "REBOOT_WINDOWS"
                                                                           : "REBOOT_BLACKOUT"),
                        takes > 0 ? ", a reboot takes " : "",
                        takes > 0 ? timespan_format(takes, span) : "");
        change = windows_next_room(windows, now, takes);
        gate->changes = change == USEC_INFINITY ? 0 : change;
}

#define TEXT_COLUMN    22 /* behind name and verdict */
#define SUMMARY_INDENT 8

static int gate_print(const Gate *gate)
{
        _cleanup_free_ char *text = NULL;
        char when[CTL_TIME_MAX];
        int r;

        r = text_format(&text, "%s%s%s", gate->why,
                        gate->changes || gate->until ? "; changes " : "",
                        gate->changes ? ctl_time(gate->changes, when)
                        : gate->until ? gate->until
                                      : "");
        if (r < 0)
                return r;
        printf("%-12s %-8s ", gate->name, verdict_words[gate->verdict]);
        ctl_print_from(stdout, ctl_width(), TEXT_COLUMN, text);
        return 0;
}

static json_t *gates_json(const Gates *gates)
{
        json_auto_t *array = json_array();

        for (size_t i = 0; i < gates->n_gates; i++) {
                const Gate *gate = &gates->gates[i];
                json_t *object = json_pack(
                        "{s:s, s:s, s:s, s:o, s:s?}", "gate", gate->name, "verdict",
                        verdict_words[gate->verdict], "why", gate->why, "changes",
                        gate->changes ? json_integer((json_int_t)(gate->changes / USEC_PER_SEC))
                                      : json_null(),
                        "until", gate->until);

                if (json_array_append_new(array, object) < 0)
                        return NULL;
        }

        return json_incref(array);
}

/* In the order in which locksmithd asks. */
static void gates_explain(Gates *gates, Ctl *ctl, const LockFacts *facts, sd_bus *bus)
{
        const Settings *settings = &ctl->settings;

        explain_daemon(gates, settings);
        explain_strategy(gates, settings);
        explain_update(gates, bus);
        explain_pause(gates, ctl, facts);
        explain_window(gates, settings, now_realtime());
        explain_inhibitors(gates, bus);
        explain_users(gates, bus, settings);
        explain_hooks(gates, "pre-reboot", settings, HOOKS_PRE_REBOOT);
        explain_fleet(gates, ctl, facts);
        explain_quorum(gates, ctl);
        explain_lock(gates, facts);
        explain_hooks(gates, "drain", settings, HOOKS_DRAIN);
}

/* The last line is what a tired operator reads. */
static int summary_print(const Gates *gates)
{
        _cleanup_free_ char *closed = NULL;

        for (size_t i = 0; i < gates->n_gates; i++) {
                char *longer;

                if (gates->gates[i].verdict != VERDICT_CLOSED)
                        continue;
                if (text_format(&longer, "%s%s%s", closed ? closed : "", closed ? ", " : "",
                                gates->gates[i].name)
                    < 0)
                        return -ENOMEM;
                free(closed);
                closed = longer;
        }
        ctl_printf(stdout, ctl_width(), SUMMARY_INDENT, "a reboot now: %s%s",
                   closed ? "no, closed: " : "nothing that is known is in the way",
                   closed ? closed : "");
        return 0;
}

int verb_explain(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(ctl_done) Ctl ctl = {};
        _cleanup_(lock_facts_done) LockFacts facts = {};
        Gates gates = {};
        int r;

        r = ctl_open(&ctl);
        if (r >= 0)
                r = ctl_reboot_settings(&ctl.settings);
        if (r >= 0)
                r = lock_facts_read(&ctl, &facts);
        if (r < 0)
                return r;
        if (bus_open(NULL, &bus) < 0)
                bus = NULL; /* each gate behind it says so */

        gates_explain(&gates, &ctl, &facts, bus);
        if (ctl_json())
                return ctl_print(gates_json(&gates));
        for (size_t i = 0; i < gates.n_gates && r >= 0; i++)
                r = gate_print(&gates.gates[i]);
        if (r >= 0)
                r = summary_print(&gates);
        return r < 0 ? log_error_errno(r, "%m") : EXIT_DONE;
}
