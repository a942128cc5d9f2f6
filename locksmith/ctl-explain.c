#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>

#include "base/bus.h"
#include "base/env-file.h"
#include "base/io.h"
#include "base/log.h"
#include "coordinator.h"
#include "ctl-explain.h"
#include "duration.h"
#include "lock-key.h"
#include "pause.h"
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

typedef struct LockView {
        Semaphore semaphore;
        bool known;
        char why[WHY_MAX];
} LockView;

static void on_lock_read(const LockResult *result, void *userdata)
{
        LockView *view = userdata;

        view->known = result->outcome == LOCK_DONE
                      && semaphore_copy(result->semaphore, &view->semaphore) == 0;
        (void)snprintf(view->why, sizeof(view->why), "%s", result->why); /* cut is fine */
}

/* How many wait before id; all of them when it does not wait. */
static size_t queue_position(const Peers *queue, const char *id)
{
        size_t i = 0;

        while (i < queue->n_peers && !streq(queue->peers[i].id, id))
                i++;
        return i;
}

static void explain_pause(Gates *gates, Ctl *ctl, const Semaphore *semaphore)
{
        _cleanup_(pause_done) Pause pause = {};
        _cleanup_free_ char *key = NULL, *text = NULL, *why = NULL;
        int r;

        if (semaphore->max > 0) {
                gate_add(gates, "pause", VERDICT_OPEN, "none: max is %" PRId64, semaphore->max);
                return;
        }

        r = lock_key_pause(ctl->settings.group, &key);
        if (r >= 0)
                r = peers_read_text(&ctl->session, key, &text, &why);
        if (r >= 0)
                r = pause_parse(text, strlen(text), &pause);
        if (r >= 0)
                gate_add(gates, "pause", VERDICT_CLOSED, "paused on %s: %s",
                         *pause.host ? pause.host : "?",
                         *pause.reason ? pause.reason : "no reason given");
        else
                gate_add(gates, "pause", VERDICT_CLOSED, "max is %" PRId64 ": nobody gets the lock",
                         semaphore->max);
}

static void explain_latecomers(Gates *gates, Ctl *ctl, const Semaphore *semaphore, const char *id)
{
        _cleanup_(peers_done) Peers holders = {};
        _cleanup_free_ char *problem = NULL;
        char why[LATECOMERS_WHY_MAX];
        size_t n;

        if (peers_read_holders(&ctl->session, ctl->settings.group, &holders, &problem) < 0) {
                gate_add(gates, "fleet", VERDICT_UNKNOWN, "%s",
                         problem ? problem : "the records of the holders can not be read");
                return;
        }
        n = latecomers_count(semaphore, &holders, id, now_realtime(), ctl->settings.return_time,
                             why);
        gate_add(gates, "fleet", n > 0 ? VERDICT_CLOSED : VERDICT_OPEN, "%s",
                 n > 0 ? why : "no host that went down is overdue");
}

static void explain_known_lock(Gates *gates, Ctl *ctl, const Semaphore *semaphore, const char *id)
{
        _cleanup_(peers_done) Peers queue = {};
        _cleanup_free_ char *why = NULL;
        size_t before;

        explain_pause(gates, ctl, semaphore);
        explain_latecomers(gates, ctl, semaphore, id);
        if (semaphore_is_held_by(semaphore, id)) {
                gate_add(gates, "lock", VERDICT_OPEN, "this host holds it");
                return;
        }
        if (peers_read_queue(&ctl->session, ctl->settings.group, &queue, &why) < 0) {
                gate_add(gates, "lock", VERDICT_UNKNOWN, "%s",
                         why ? why : "the queue can not be read");
                return;
        }
        before = queue_position(&queue, id);
        gate_add(gates, "lock", semaphore->free > 0 && before == 0 ? VERDICT_OPEN : VERDICT_CLOSED,
                 "%zu of %" PRId64 " slots are held, %zu hosts are before this one in the queue",
                 semaphore->holders.n_items, semaphore->max, before);
}

static int explain_lock(Gates *gates, Ctl *ctl)
{
        _cleanup_free_ char *id = NULL;
        LockView view = {};
        int r;

        if (!ctl_needs_lock(&ctl->settings)) {
                gate_add(gates, "lock", VERDICT_OPEN, "not needed by this strategy on this host");
                return 0;
        }

        r = ctl_id(ctl, NULL, &id);
        if (r < 0)
                return r;
        r = session_run(&ctl->session,
                        &(LockRequest) { .kind = LOCK_KIND_READ,
                                         .on_done = on_lock_read,
                                         .userdata = &view },
                        0);
        if (r < 0)
                return log_error_errno(r, "reading the lock: %m");

        if (view.known)
                explain_known_lock(gates, ctl, &view.semaphore, id);
        else
                gate_add(gates, "lock", VERDICT_UNKNOWN, "%s", view.why);
        semaphore_done(&view.semaphore);
        return 0;
}

static void gate_print(const Gate *gate)
{
        char when[CTL_TIME_MAX];

        printf("%-12s %-8s %s%s%s\n", gate->name, verdict_words[gate->verdict], gate->why,
               gate->changes ? "; changes " : "",
               gate->changes ? ctl_time(gate->changes, when) : "");
}

static json_t *gates_json(const Gates *gates)
{
        json_auto_t *array = json_array();

        for (size_t i = 0; i < gates->n_gates; i++) {
                const Gate *gate = &gates->gates[i];
                json_t *object = json_pack(
                        "{s:s, s:s, s:s, s:o}", "gate", gate->name, "verdict",
                        verdict_words[gate->verdict], "why", gate->why, "changes",
                        gate->changes ? json_integer((json_int_t)(gate->changes / USEC_PER_SEC))
                                      : json_null());

                if (json_array_append_new(array, object) < 0)
                        return NULL;
        }

        return json_incref(array);
}

int verb_explain(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(ctl_done) Ctl ctl = {};
        Gates gates = {};
        int r;

        r = ctl_open(&ctl);
        if (r < 0)
                return r;
        if (bus_open(NULL, &bus) < 0)
                bus = NULL; /* each gate behind it says so */

        explain_daemon(&gates, &ctl.settings);
        explain_strategy(&gates, &ctl.settings);
        explain_update(&gates, bus);
        explain_window(&gates, &ctl.settings, now_realtime());
        explain_inhibitors(&gates, bus);
        explain_users(&gates, bus, &ctl.settings);
        explain_hooks(&gates, "pre-reboot", &ctl.settings, HOOKS_PRE_REBOOT);
        explain_quorum(&gates, &ctl);
        r = explain_lock(&gates, &ctl);
        if (r < 0)
                return r;
        explain_hooks(&gates, "drain", &ctl.settings, HOOKS_DRAIN);

        if (ctl_json())
                return ctl_print(gates_json(&gates));
        for (size_t i = 0; i < gates.n_gates; i++)
                gate_print(&gates.gates[i]);
        return EXIT_DONE;
}
