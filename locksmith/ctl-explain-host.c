#include "base/bus.h"
#include "ctl-explain.h"
#include "sessions.h"

static void explain_no_answer(Gates *gates, const char *name, const sd_bus_error *error, int r)
{
        gate_add(gates, name, VERDICT_UNKNOWN, "logind can not be asked: %s",
                 bus_error_text(error, r));
}

void explain_inhibitors(Gates *gates, sd_bus *bus)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        char text[LOGIN_TEXT_MAX];
        size_t n;
        int r;

        r = bus ? login_list_inhibitors(bus, &error, &reply) : -ENOTCONN;
        if (r >= 0)
                r = login_read_inhibitors(reply, &n, text);
        if (r < 0)
                explain_no_answer(gates, "inhibitors", &error, r);
        else if (n > 0)
                gate_add(gates, "inhibitors", VERDICT_CLOSED, "%zu block a shutdown: %s", n, text);
        else
                gate_add(gates, "inhibitors", VERDICT_OPEN, "none blocks a shutdown");
}

typedef struct UsersView {
        Gates *gates;
        usec_t grace;
        bool done;
} UsersView;

static void on_users(const SessionsAnswer *answer, void *userdata)
{
        UsersView *view = userdata;
        char span[TIMESPAN_MAX];

        view->done = true;
        if (answer->failure)
                gate_add(view->gates, "users", VERDICT_UNKNOWN, "logind can not be asked: %s",
                         answer->failure);
        else if (answer->n_users == 0)
                gate_add(view->gates, "users", VERDICT_OPEN, "nobody is logged in");
        else
                gate_add(view->gates, "users", view->grace > 0 ? VERDICT_CLOSED : VERDICT_OPEN,
                         "%zu sessions (%s): they are warned %s before", answer->n_users,
                         answer->who, timespan_format(view->grace, span));
}

/* Users do not keep a reboot back for ever, so this gate is never closed for good. */
void explain_users(Gates *gates, sd_bus *bus, const Settings *settings)
{
        UsersView view = { .gates = gates, .grace = settings->login_grace };
        Sessions *sessions = NULL;
        int r;

        r = bus ? sessions_ask(bus, on_users, &view, &sessions) : -ENOTCONN;
        while (r >= 0 && !view.done) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX); /* calls have an end of their own */
        }
        if (!view.done) {
                sessions_cancel(sessions);
                explain_no_answer(gates, "users", NULL, r);
        }
}

void explain_quorum(Gates *gates, Ctl *ctl)
{
        _cleanup_free_ char *why = NULL;
        bool agrees;

        if (!ctl_needs_lock(&ctl->settings))
                gate_add(gates, "quorum", VERDICT_OPEN, "not looked at without the lock");
        else if (ctl_ask_guard(ctl, &agrees, &why) < 0)
                gate_add(gates, "quorum", VERDICT_UNKNOWN, "it could not be asked for");
        else
                gate_add(gates, "quorum", agrees ? VERDICT_OPEN : VERDICT_CLOSED, "%s", why);
}

/* They are not run: nobody who only looks wants to empty a host. */
void explain_hooks(Gates *gates, const char *name, const Settings *settings, const char *directory)
{
        _cleanup_(text_list_done) TextList names = {};
        int r;

        r = hooks_list(settings->root, directory, &names);
        if (r < 0)
                gate_add(gates, name, VERDICT_CLOSED, "%s: %s", directory, strerror(-r));
        else if (names.n_items == 0)
                gate_add(gates, name, VERDICT_OPEN, "no programs in %s", directory);
        else
                gate_add(gates, name, VERDICT_UNKNOWN,
                         "%zu programs in %s are run then; what failed last is said above",
                         names.n_items, directory);
}
