#include <stdio.h>

#include "base/bus.h"
#include "base/log.h"
#include "base/text.h"
#include "clearance.h"
#include "departure.h"
#include "login.h"
#include "notify.h"
#include "pause-look.h"
#include "sessions.h"
#include "twin.h"

#define WALL_TIME (5 * USEC_PER_SEC) /* a terminal that takes nothing must not hold us up */
#define TEXT_MAX  512

struct Clearance {
        ClearanceRequest request;
        sd_event *event;
        sd_event_source *go; /* begins the stage that is next */
        size_t stage;
        char *version;

        sd_bus_slot *call;
        PauseLook *pause;
        Sessions *sessions;
        sd_event_source *timer;
        usec_t left; /* of the users' grace */
        Process *wall;
        bool wall_is_last; /* its end is the stage's */
        Hooks *hooks;
        Guard *guard;
        bool is_warned; /* of what is risky about etcd */
        Twin *twin;
        Latecomers *latecomers;
        Departure *departure;
};

Clearance *clearance_cancel(Clearance *c)
{
        if (!c)
                return NULL;

        pause_look_cancel(c->pause);
        sessions_cancel(c->sessions);
        departure_cancel(c->departure);
        twin_cancel(c->twin);
        latecomers_cancel(c->latecomers);
        guard_cancel(c->guard);
        hooks_cancel(c->hooks);
        process_kill(c->wall);
        sd_bus_slot_unref(c->call);
        sd_event_source_disable_unref(c->timer);
        sd_event_source_disable_unref(c->go);
        sd_event_unref(c->event);
        free(c->version);
        free(c);
        return NULL;
}
DEFINE_CLEANUP(Clearance *, clearance_cancel);

static void clearance_finish(Clearance *clearance, const char *why)
{
        _cleanup_(clearance_cancel_p) Clearance *c = clearance;

        c->request.on_done(why, c->request.userdata);
}

/* The stage has its answer: NULL goes on with the next one. */
static void clearance_stage_done(Clearance *c, const char *why)
{
        int r = 0;

        if (!why) {
                c->stage++;
                r = sd_event_source_set_enabled(c->go, SD_EVENT_ONESHOT);
                why = r < 0 ? strerror(-r) : NULL;
        }
        if (why)
                clearance_finish(c, why);
}

/* logind could not be asked, or not be understood. That is no reason to take it for a yes. */
static void clearance_bus_failed(Clearance *c, const char *failure)
{
        char why[TEXT_MAX];

        (void)snprintf(why, sizeof(why), "logind can not be asked: %s", failure); /* cut is fine */
        clearance_stage_done(c, why);
}

static int on_inhibitors(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        char text[LOGIN_TEXT_MAX], why[TEXT_MAX];
        Clearance *c = userdata;
        size_t n;
        int r;

        c->call = sd_bus_slot_unref(c->call);
        r = login_read_inhibitors(reply, &n, text);
        if (r < 0) {
                clearance_bus_failed(c, bus_error_text(sd_bus_message_get_error(reply), r));
                return 0;
        }

        (void)snprintf(why, sizeof(why), "an inhibitor blocks it: %s", text); /* fits */
        clearance_stage_done(c, n > 0 ? why : NULL);
        return 0;
}

static int inhibitors_ask(Clearance *c)
{
        return login_list_inhibitors_async(c->request.bus, &c->call, on_inhibitors, c);
}

static void on_wall_end(_unused_ int status, const char *why, void *userdata)
{
        Clearance *c = userdata;

        c->wall = NULL; /* may be gone after this call */
        if (why)
                log_warning("telling the users who are logged in: wall: %s", why);
        if (c->wall_is_last)
                clearance_stage_done(c, NULL);
}

/* That users can not be warned is no reason to keep an update back. */
static void users_tell(Clearance *c, const char *when)
{
        char text[TEXT_MAX];
        int r;

        (void)snprintf(text, sizeof(text), "This host reboots %s%s%s.", when,
                       is_empty(c->version) ? "" : " into version ",
                       is_empty(c->version) ? "" : c->version); /* cut is fine */
        c->wall = process_kill(c->wall);
        r = process_start(c->event,
                          &(ProcessRequest) {
                                  .arguments = (const char *const[]) { "wall", text, NULL },
                                  .time_limit = WALL_TIME,
                                  .on_end = on_wall_end,
                                  .userdata = c,
                          },
                          &c->wall);
        if (r < 0)
                log_warning_errno(r, "telling the users who are logged in: wall: %m");
}

static usec_t grace_mark(usec_t left)
{
        static const usec_t marks[] = { 5 * USEC_PER_MINUTE, 1 * USEC_PER_MINUTE };

        for (size_t i = 0; i < ELEMENTSOF(marks); i++)
                if (left > marks[i])
                        return marks[i];
        return 0;
}

usec_t clearance_grace_step(usec_t left)
{
        return left - grace_mark(left);
}

static void on_sessions(const SessionsAnswer *answer, void *userdata);

static int users_ask(Clearance *c)
{
        return sessions_ask(c->request.bus, on_sessions, c, &c->sessions);
}

static void on_pause(const char *why, void *userdata)
{
        Clearance *c = userdata;
        int r;

        c->pause = NULL; /* may be gone after this call */
        if (why || c->left == 0) {
                clearance_stage_done(c, why);
                return;
        }
        r = users_ask(c); /* they are being waited for */
        if (r < 0)
                clearance_stage_done(c, strerror(-r));
}

/* Hosts that reboot without the lock have nothing that could be paused. */
static int pause_ask(Clearance *c)
{
        if (c->request.with_lock && c->request.session->backend->ops->sides)
                return pause_look(c->request.session, c->request.settings, on_pause, c, &c->pause);

        on_pause(NULL, c);
        return 0;
}

/* An operator may have thought better of it, and somebody may have logged out: ask again. */
static int on_grace(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Clearance *c = userdata;
        int r;

        c->timer = sd_event_source_disable_unref(c->timer);
        c->left = grace_mark(c->left);
        r = pause_ask(c);
        if (r < 0)
                clearance_stage_done(c, strerror(-r));
        return 0;
}

static int users_wait(Clearance *c, const char *who)
{
        char span[TIMESPAN_MAX], when[TEXT_MAX];

        (void)snprintf(when, sizeof(when), "in %s", timespan_format(c->left, span)); /* fits */
        users_tell(c, when);
        (void)snprintf(when, sizeof(when), "users are logged in (%s), who have %s left", who,
                       span); /* fits */
        c->request.on_wait(when, c->request.userdata);
        return sd_event_add_time_relative(c->event, &c->timer, CLOCK_MONOTONIC,
                                          clearance_grace_step(c->left), 0, on_grace, c);
}

static void on_sessions(const SessionsAnswer *answer, void *userdata)
{
        bool any = answer->n_users > 0;
        Clearance *c = userdata;
        int r;

        c->sessions = NULL; /* may be gone after this call */
        if (answer->failure) {
                clearance_bus_failed(c, answer->failure);
                return;
        }

        if (any && c->left == 0)
                users_tell(c, "now");
        c->wall_is_last = any && c->left == 0 && c->wall;
        if (c->wall_is_last)
                return;
        if (!any || c->left == 0) {
                c->left = 0;
                clearance_stage_done(c, NULL);
                return;
        }

        r = users_wait(c, answer->who);
        if (r < 0)
                clearance_stage_done(c, strerror(-r));
}

static int users_ask_first(Clearance *c)
{
        c->left = c->request.settings->login_grace;
        if (c->left > 0)
                return users_ask(c);

        clearance_stage_done(c, NULL);
        return 0;
}

/* The last word: nobody waits for anybody any more. */
static int users_ask_last(Clearance *c)
{
        c->left = 0;
        return users_ask(c);
}

static void on_hook_line(const char *line, _unused_ void *userdata)
{
        log_info("%s", line);
}

static void on_hooks_done(const char *why, void *userdata)
{
        Clearance *c = userdata;

        c->hooks = NULL; /* may be gone after this call */
        clearance_stage_done(c, why);
}

static int hooks_run(Clearance *c, const char *directory)
{
        _cleanup_free_ char *version = NULL;

        if (text_format(&version, "SLUICE_TO_VERSION=%s", c->version ? c->version : "") < 0)
                return -ENOMEM;
        return hooks_start(c->event,
                           &(HooksRequest) {
                                   .root = c->request.settings->root,
                                   .directory = directory,
                                   .environment = (const char *const[]) { version, NULL },
                                   .time_limit = c->request.settings->hook_time,
                                   .on_line = on_hook_line,
                                   .on_done = on_hooks_done,
                                   .userdata = c,
                           },
                           &c->hooks);
}

static int checks_run(Clearance *c)
{
        return hooks_run(c, HOOKS_PRE_REBOOT);
}

static int drain_run(Clearance *c)
{
        return hooks_run(c, HOOKS_DRAIN);
}

/* That the others can not be told is no reason to stay up. */
static void on_notified(const char *why, void *userdata)
{
        Clearance *c = userdata;

        c->hooks = NULL; /* may be gone after this call */
        if (why)
                log_warning("%s", why);
        clearance_stage_done(c, NULL);
}

static int notify_run(Clearance *c)
{
        return notify_start(c->event,
                            &(NotifyRequest) {
                                    .settings = c->request.settings,
                                    .event = NOTIFY_START,
                                    .version = c->version,
                                    .on_done = on_notified,
                                    .userdata = c,
                            },
                            &c->hooks);
}

static void on_guard(const GuardReply *reply, void *userdata)
{
        Clearance *c = userdata;

        c->guard = NULL; /* may be gone after this call */
        if (reply->warning && !c->is_warned)
                log_warning("%s", reply->warning);
        c->is_warned = true;
        clearance_stage_done(c, reply->agrees ? NULL : reply->why);
}

/* Hosts that reboot without the lock do not look after each other at all; and where the lock is not
 * in etcd, etcd is none of ours. */
static int quorum_ask(Clearance *c)
{
        if (c->request.with_lock && c->request.session->etcd)
                return guard_ask(c->request.session, c->request.settings, GUARD_LEAVE, true,
                                 on_guard, c, &c->guard);

        clearance_stage_done(c, NULL);
        return 0;
}

static void on_twin(const char *why, void *userdata)
{
        Clearance *c = userdata;

        c->twin = NULL; /* gone behind this call */
        clearance_stage_done(c, why);
}

static int twin_ask(Clearance *c)
{
        if (c->request.with_lock && c->request.is_known && c->request.session->backend->ops->clone)
                return twin_look(c->request.session, c->request.settings, on_twin, c, &c->twin);

        clearance_stage_done(c, NULL);
        return 0;
}

static void on_latecomers(const char *why, bool stopped, void *userdata)
{
        Clearance *c = userdata;

        c->latecomers = NULL; /* may be gone after this call */
        if (stopped)
                c->request.on_stopped(why, c->request.userdata);
        clearance_stage_done(c, why);
}

static int latecomers_look(Clearance *c)
{
        if (c->request.with_lock && c->request.session->backend->ops->clone)
                return latecomers_ask(
                        &(LatecomersRequest) {
                                .session = c->request.session,
                                .settings = c->request.settings,
                                .on_done = on_latecomers,
                                .userdata = c,
                        },
                        &c->latecomers);

        clearance_stage_done(c, NULL);
        return 0;
}

static void on_departure(const char *why, void *userdata)
{
        Clearance *c = userdata;

        c->departure = NULL; /* may be gone after this call */
        clearance_stage_done(c, why);
}

/* From here on the others expect this host back. */
static int departure_tell(Clearance *c)
{
        if (c->request.with_lock && c->request.session->backend->ops->clone)
                return departure_start(
                        &(DepartureRequest) {
                                .session = c->request.session,
                                .settings = c->request.settings,
                                .on_done = on_departure,
                                .userdata = c,
                        },
                        &c->departure);

        clearance_stage_done(c, NULL);
        return 0;
}

#define STAGES_MAX 10

typedef int (*ClearanceStage)(Clearance *c);

/* What costs nobody anything comes first, so that users are not warned for nothing; the lock itself
 * is asked for with fresh answers. */
static const ClearanceStage stage_table[_CLEARANCE_KIND_MAX][STAGES_MAX + 1] = {
        [CLEARANCE_LOCK] = { pause_ask, twin_ask, inhibitors_ask, latecomers_look, quorum_ask,
                             users_ask_first, checks_run, twin_ask, latecomers_look, quorum_ask },
        [CLEARANCE_REBOOT] = { pause_ask, inhibitors_ask, latecomers_look, quorum_ask, drain_run,
                               notify_run, departure_tell, users_ask_last },
};

static int on_go(_unused_ sd_event_source *source, void *userdata)
{
        Clearance *c = userdata;
        ClearanceStage stage = stage_table[c->request.kind][c->stage];
        int r;

        if (!stage) {
                clearance_finish(c, NULL);
                return 0;
        }

        r = stage(c);
        if (r < 0)
                clearance_stage_done(c, strerror(-r));
        return 0;
}

int clearance_start(const ClearanceRequest *request, Clearance **ret)
{
        _cleanup_(clearance_cancel_p) Clearance *c = calloc(1, sizeof(Clearance));
        int r;

        if (!c)
                return -ENOMEM;
        *c = (Clearance) { .request = *request, .event = sd_event_ref(request->session->event) };
        r = text_set(&c->version, request->version);
        if (r >= 0)
                r = sd_event_add_defer(c->event, &c->go, on_go, c);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(c);
        return 0;
}
