#include <fcntl.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon-internal.h"
#include "lock-key.h"
#include "record.h"

void daemon_decide_later(Daemon *d)
{
        (void)sd_event_source_set_enabled(d->decide,
                                          SD_EVENT_ONESHOT); /* can only fail for a freed source */
}

int daemon_retry_later(Daemon *d, sd_event_source **timer, Backoff *backoff,
                       sd_event_time_handler_t handler)
{
        return backoff_arm(backoff, d->event, timer, handler, d);
}

void daemon_set_lock(Daemon *d, LockState state, const char *why)
{
        d->facts.lock = state;
        if (text_set(&d->lock_why, is_empty(why) ? NULL : why) < 0)
                log_warning("out of memory: the state of the lock is not told");
}

/* An etcd has answered. This is kept for ever: strategy best-effort never does without the lock
 * again. */
static void daemon_note_etcd(Daemon *d)
{
        static const char text[] = "An etcd has answered on this host.\n";
        int r;

        if (d->facts.etcd_seen)
                return;

        r = file_replace(d->settings->root, DAEMON_ETCD_SEEN, text, strlen(text), 0644);
        if (r < 0)
                log_warning_errno(r, "%s: %m", DAEMON_ETCD_SEEN);
        d->facts.etcd_seen = true;
}

static void on_lock_wait(const LockResult *result, void *userdata)
{
        Daemon *d = userdata;

        if (result->semaphore || result->outcome == LOCK_BUSY)
                daemon_note_etcd(d);
        if (text_set(&d->lock_why, result->why) >= 0)
                daemon_decide_later(d);
}

static void on_taken(const LockResult *result, void *userdata)
{
        Daemon *d = userdata;

        d->claim = NULL;
        daemon_note_etcd(d);
        if (result->semaphore)
                daemon_tell(d, LOCK_EVENT_TAKEN, NULL,
                            "holding the lock, %lld of %lld slots are left",
                            (long long)result->semaphore->free, (long long)result->semaphore->max);
        else
                daemon_tell(d, LOCK_EVENT_TAKEN, NULL, "holding the lock");
        daemon_set_lock(d, LOCK_STATE_HELD, NULL);
        daemon_decide_later(d);
}

static void on_registered(const LockResult *result, void *userdata)
{
        Daemon *d = userdata;

        d->operation = NULL;
        if (result->outcome == LOCK_DONE) {
                d->is_known = true;
                text_clear(&d->host_note);
        }
        daemon_set_lock(d, LOCK_STATE_FREE, NULL);
        daemon_decide_later(d);
}

static void on_released(const LockResult *result, void *userdata)
{
        Daemon *d = userdata;

        d->operation = NULL;
        daemon_note_etcd(d);
        if (result->outcome == LOCK_DONE) {
                daemon_tell(d, LOCK_EVENT_RELEASED, NULL, "gave the lock back");
                d->is_known |= d->host_note != NULL;
                text_clear(&d->host_note); /* it went with it */
                text_clear(&d->fallback);
        } else if (daemon_register(d, on_registered))
                return;
        daemon_set_lock(d, LOCK_STATE_FREE, NULL);
        daemon_decide_later(d);
}

static void on_etcd_asked(const LockResult *result, void *userdata)
{
        Daemon *d = userdata;

        d->operation = NULL;
        if (result->outcome == LOCK_DONE || result->outcome == LOCK_REFUSED)
                daemon_note_etcd(d);
        else if (d->session.etcd && etcd_was_reached(d->session.etcd)) {
                log_warning("there is an etcd that does not answer as it should, so the lock is"
                            " waited for: %s",
                            result->why);
                d->facts.etcd_seen = true; /* for now: next time it may turn out to be none */
        } else
                log_info("this host has never had an etcd, and none answers: %s", result->why);
        d->facts.etcd_asked = true;
        daemon_decide_later(d);
}

static void daemon_give_up(Daemon *d, int error)
{
        (void)sd_event_exit(
                d->event,
                log_error_errno(error, "working on the lock: %m")); /* fails in the end only */
}

static size_t release_sides(const Daemon *d, LockSide sides[static LOCK_SIDES_MAX])
{
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(d->departure.sides); i++)
                sides[n++] = d->departure.sides[i];
        if (d->host_note)
                sides[n++] = (LockSide) { .key = d->host_key, .value = d->host_note };
        return n;
}

static void daemon_operate(Daemon *d, LockKind kind, LockOnResult on_done)
{
        bool release = kind == LOCK_KIND_RELEASE;
        LockSide sides[LOCK_SIDES_MAX];
        int r;

        d->claim = claim_cancel(d->claim);
        d->operation = lock_cancel(d->operation);
        r = lock_start(d->event, d->session.backend,
                       &(LockRequest) {
                               .kind = kind,
                               .id = d->machine_id,
                               .record_key = d->record_key,
                               .ticket_key = d->ticket_key,
                               .sides = sides,
                               .n_sides = release ? release_sides(d, sides) : 0,
                               .edit = release ? daemon_release_edit : NULL,
                               .edit_userdata = d,
                               .persistent = kind != LOCK_KIND_READ,
                               .on_wait = on_lock_wait,
                               .on_done = on_done,
                               .userdata = d,
                       },
                       &d->operation);
        if (r < 0)
                daemon_give_up(d, r);
}

void daemon_release(Daemon *d)
{
        daemon_set_lock(d, LOCK_STATE_RELEASING, NULL);
        daemon_operate(d, LOCK_KIND_RELEASE, on_released);
}

static void daemon_take(Daemon *d)
{
        _cleanup_(record_done) Record record = {};
        _cleanup_free_ char *text = NULL;
        int r;

        d->operation = lock_cancel(d->operation);
        r = record_of_host(d->settings->root, RECORD_REASON_UPDATE, d->to_version, &record);
        if (r >= 0)
                r = record_format(&record, &text);
        if (r >= 0)
                r = claim_start(&d->session,
                                &(ClaimRequest) {
                                        .group = d->settings->group,
                                        .id = d->machine_id,
                                        .record = text,
                                        .on_wait = on_lock_wait,
                                        .on_done = on_taken,
                                        .userdata = d,
                                },
                                &d->claim);
        if (r < 0)
                daemon_give_up(d, r);
}

static void daemon_act(Daemon *d)
{
        switch (d->action) {
        case ACTION_WAIT_FOR_DAEMON:
        case ACTION_WAIT_FOR_UPDATE:
        case ACTION_WAIT_FOR_WINDOW:
        case ACTION_WAIT_FOR_CLEARANCE:
        case ACTION_WAIT_FOR_LOCK:
        case ACTION_WAIT_FOR_DRAIN:
        case ACTION_WAIT_FOR_RELEASE:
        case ACTION_WAIT_FOR_RETRY:
        case ACTION_WAIT_FOR_REBOOT:
                break;
        case ACTION_CHECK_SLOT:
                daemon_check_slot(d);
                break;
        case ACTION_CHECK_MEMBER:
                daemon_check_member(d);
                break;
        case ACTION_ASK_ETCD:
                if (!d->operation)
                        daemon_operate(d, LOCK_KIND_READ, on_etcd_asked);
                break;
        case ACTION_ASK_CLEARANCE:
                daemon_ask_clearance(d, CLEARANCE_LOCK);
                break;
        case ACTION_DRAIN:
                daemon_ask_clearance(d, CLEARANCE_REBOOT);
                break;
        case ACTION_TAKE:
                daemon_set_lock(d, LOCK_STATE_WANTED, NULL);
                daemon_take(d);
                break;
        case ACTION_RELEASE:
                if (d->facts.lock == LOCK_STATE_NOT_KNOWN)
                        daemon_release_old(d);
                else
                        daemon_release(d);
                break;
        case ACTION_REBOOT:
                daemon_reboot(d);
                break;
        case _ACTION_MAX:
                break;
        }
}

static int on_decide(_unused_ sd_event_source *source, void *userdata)
{
        Daemon *d = userdata;
        UpdateState update = d->facts.update;
        int r;

        r = daemon_window_look(d);
        if (r < 0)
                return log_error_errno(r, "setting the timer of the reboot window: %m");
        if (update != UPDATE_DUE)
                backoff_reset(&d->refused);
        if (!d->facts.rebooting && !strategy_may_reboot(d->settings->strategy, &d->facts))
                daemon_forget_clearance(d);

        if (d->came_back && d->facts.update != UPDATE_NOT_KNOWN
            && (d->facts.lock == LOCK_STATE_FREE
                || !strategy_needs_lock(d->settings->strategy, d->facts.etcd_seen)))
                daemon_be_back(d);
        d->action = strategy_next(d->settings->strategy, &d->facts);
        daemon_say(d);
        daemon_act(d);
        daemon_rest_later(d);
        return 0;
}

static int on_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Daemon *d = userdata;

        if (d->facts.rebooting) {
                daemon_on_refused(d, "it was accepted, but has not come");
                return 0;
        }

        d->facts.backing_off = false;
        daemon_decide_later(d);
        return 0;
}

void daemon_on_refused(Daemon *d, const char *why)
{
        int r;

        daemon_tell(d, LOCK_EVENT_REFUSED, why,
                    "the reboot was refused: %s; giving the lock back and asking again later", why);
        d->tell.metrics.n_refused++;
        d->facts.rebooting = false;
        if (duration_cancel(d->settings->root) < 0)
                log_warning("%s can not be written", DURATION_FILE);
        d->facts.backing_off = true;
        d->facts.etcd_asked = false;
        r = daemon_retry_later(d, &d->retry, &d->refused, on_retry);
        if (r < 0)
                (void)sd_event_exit(d->event, log_error_errno(r, "setting a timer: %m"));
        daemon_decide_later(d);
}

void daemon_on_accepted(Daemon *d)
{
        int r;

        daemon_tell(d, LOCK_EVENT_REBOOTING, NULL, "rebooting");
        d->tell.metrics.n_asked++;
        d->retry = sd_event_source_disable_unref(d->retry);
        r = sd_event_add_time_relative(d->event, &d->retry, CLOCK_MONOTONIC, DAEMON_PATIENCE, 0,
                                       on_retry, d);
        if (r < 0)
                (void)sd_event_exit(d->event, log_error_errno(r, "setting a timer: %m"));
}

static void on_left(const LockResult *result, _unused_ void *userdata)
{
        if (result->outcome == LOCK_DONE)
                log_info("gave the lock back");
        else if (result->outcome != LOCK_NOT_HOLDER)
                log_error("the lock could not be given back: %s", result->why);
}

/*
 * At the end: a lock for a reboot that has not been asked for is of no use to this host any more.
 * The loop has ended, so this takes a new one.
 */
static void daemon_leave(const Daemon *d)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(session_done) Session session = {};
        int r;

        r = event_new(&event);
        if (r >= 0)
                r = session_open(event, d->settings, &session);
        if (r >= 0) {
                claim_leave(&session, d->settings->group, d->machine_id, DAEMON_LEAVE_TIME / 2);
                r = session_run(&session,
                                &(LockRequest) {
                                        .kind = LOCK_KIND_RELEASE,
                                        .id = d->machine_id,
                                        .record_key = d->record_key,
                                        .sides = d->departure.sides,
                                        .n_sides = ELEMENTSOF(d->departure.sides),
                                        .on_done = on_left,
                                },
                                DAEMON_LEAVE_TIME / 2);
        }
        if (r < 0)
                log_error_errno(r, "the lock could not be given back in time: %m");
}

static void daemon_done(Daemon *d)
{
        daemon_forget_clearance(d);
        daemon_member_done(d);
        daemon_tell_done(d);
        claim_cancel(d->claim);
        lock_cancel(d->operation);
        daemon_record_done(d);
        daemon_bus_done(d);
        daemon_window_done(d);
        sd_event_source_disable_unref(d->retry);
        sd_event_source_disable_unref(d->decide);
        sd_event_source_disable_unref(d->rest);
        session_done(&d->session);
        sd_event_unref(d->event);
        free(d->machine_id);
        free(d->record_key);
        free(d->ticket_key);
        departure_sides_done(&d->departure);
        free(d->lock_why);
        free(d->window_why);
        free(d->to_version);
}

/* What a power cut left of writing files. */
static void daemon_sweep(const Daemon *d)
{
        static const char *const directories[] = { "/run/update-engine", "/var/lib/updated", NULL };
        int r = temporaries_sweep(d->settings->root, directories, now_realtime() / USEC_PER_SEC);

        if (r < 0)
                (void)log_warning_errno(r, "removing what a power cut left: %m");
}

static int daemon_stay_coordinator(Daemon *d, Handover *woken)
{
        int r = coordinator_adopt(d->settings->root, woken->coordinator, &d->tell.coordinator);

        return r < 0 ? log_error_errno(r, "%s was not handed over as it should be: %m",
                                       COORDINATOR_FILE)
                     : 0;
}

static int daemon_become_coordinator(Daemon *d)
{
        int r;

        r = coordinator_become(d->settings->root, &d->tell.coordinator);
        if (r == -EWOULDBLOCK)
                return log_error_return(
                        r, "unable to become 'update coordinator': file already locked: another"
                           " program coordinates the reboots of this host");
        if (r < 0)
                return log_error_errno(r, "unable to become 'update coordinator': %s: %m",
                                       COORDINATOR_FILE);
        daemon_sweep(d);
        return 0;
}

static int daemon_load(Daemon *d)
{
        _cleanup_close_ int marker = root_open(d->settings->root, DAEMON_ETCD_SEEN, O_RDONLY, 0);
        int r;

        d->facts.etcd_seen = marker >= 0;
        r = settings_machine_id(d->settings, &d->machine_id);
        if (r < 0)
                return log_error_errno(
                        r,
                        "Cannot read machine-id: %m; systemd-machine-id-setup writes /etc/machine-id");

        r = lock_key_holder(d->settings->group, d->machine_id, &d->record_key);
        if (r >= 0)
                r = lock_key_ticket(d->settings->group, d->machine_id, &d->ticket_key);
        if (r >= 0)
                r = lock_key_host(d->settings->group, d->machine_id, &d->host_key);
        if (r >= 0)
                r = lock_key_host(d->settings->group, NULL, &d->hosts_key);
        if (r >= 0)
                r = departure_sides(d->settings->group, d->machine_id, &d->departure);
        return r < 0 ? log_error_errno(r, "naming the keys of this host: %m") : 0;
}

static int daemon_open_loop(Daemon *d)
{
        int r;

        r = event_new(&d->event);
        if (r < 0)
                return log_error_errno(r, "setting up the event loop: %m");
        r = sd_event_add_defer(d->event, &d->decide, on_decide, d);
        if (r >= 0)
                r = daemon_rest_start(d);
        if (r >= 0)
                r = session_open(d->event, d->settings, &d->session);
        if (r >= 0)
                r = daemon_window_start(d);
        return r < 0 ? log_error_errno(r, "setting up: %m") : 0;
}

static int daemon_open(Daemon *d, Handover *woken)
{
        int r;

        r = daemon_load(d);
        if (r >= 0)
                r = woken ? daemon_stay_coordinator(d, woken) : daemon_become_coordinator(d);
        if (r >= 0)
                r = daemon_open_loop(d);
        if (r < 0)
                return r;

        r = woken ? daemon_take_over(d, woken) : 0;
        if (r < 0)
                return log_error_errno(r, "going on where locksmithd-idle has stopped: %m");
        r = daemon_bus_start(d, woken);
        if (r < 0)
                return log_error_errno(r, "connecting to the system bus: %m%s", bus_open_hint(r));

        (void)sd_notify(false, "READY=1"); /* not under systemd: nobody to tell */
        return 0;
}

/* rest is for the next stage when this returns DAEMON_AT_REST; NULL: never. */
static int daemon_live(const Settings *settings, Handover *woken, Handover *rest)
{
        _cleanup_(daemon_done) Daemon d = {
                .settings = settings,
                .next = rest,
                .tell = {
                        .coordinator = { .fd = -1 },
                        .metrics_file = settings->metrics_file,
                        .metrics = { .strategy = strategy_to_string(settings->strategy),
                                     .group = settings->group },
                },
                .refused = { .first = DAEMON_REFUSED_FIRST, .max = DAEMON_REFUSED_MAX },
                .clearance_backoff = { .first = DAEMON_CLEARANCE_FIRST,
                                       .max = DAEMON_CLEARANCE_MAX },
                .member_backoff = { .first = DAEMON_RETRY_FIRST, .max = DAEMON_RETRY_MAX },
        };
        int r;

        r = daemon_open(&d, woken);
        if (r < 0)
                return r;

        r = sd_event_loop(d.event);
        if (r == DAEMON_AT_REST)
                return r;
        if (r < 0)
                log_error_errno(r, "the event loop ended: %m");
        (void)sd_notify(false, "STOPPING=1");
        daemon_forget_clearance(&d); /* no hook of ours outlives the lock */

        if (!d.facts.rebooting
            && (d.facts.lock == LOCK_STATE_WANTED || d.facts.lock == LOCK_STATE_HELD)) {
                d.claim = claim_cancel(d.claim);
                d.operation = lock_cancel(d.operation);
                daemon_leave(&d);
        }
        return r < 0 ? r : EXIT_SUCCESS;
}

int daemon_run(const Settings *settings, const StageOptions *options, Handover *woken)
{
        _cleanup_(handover_done) Handover rest = HANDOVER_NONE;
        _cleanup_free_ char *program = NULL;
        int r;

        r = daemon_live(settings, woken, &rest);
        if (r != DAEMON_AT_REST)
                return r;

        r = stage_enter(STAGE_IDLE, options, &rest, &program);
        log_warning_errno(
                r, "%s can not be started: %m: waiting with more memory; is all of it installed?",
                program ? program : "locksmithd-idle");
        return daemon_live(settings, &rest, NULL);
}
