/*
 * The update daemon itself: owns the bus, the timer, the settings and the current attempt; the only object that
 * knows all the others.
 */
#pragma once

#include "attempt.h"
#include "history.h"
#include "journal.h"
#include "metrics.h"
#include "rate.h"
#include "schedule.h"
#include "trial.h"

/* Paths of the programs that it starts; owned by whose they are. */
typedef struct ManagerPrograms {
        char *worker, *postinst;
} ManagerPrograms;

typedef struct Manager {
        sd_event *event;
        sd_bus *bus;
        Http *http;
        Reporter *reporter;
        char *root; /* "" for the host itself */
        ManagerPrograms programs;

        /* Read anew for every attempt. */
        Config config;
        Host host;
        Slots slots; /* as last read; n_partitions 0 when they can not be told */

        State state;
        Attempt *attempt; /* or NULL */

        /* The version that runs is not good yet, manager-health.c. */
        Trial *trial;      /* NULL: not on trial, or the trial is over */
        char *ill;         /* why it is not good; NULL: it is, or nobody knows yet */
        bool check_missed; /* a check was due during the trial */
        sd_event_source *reboot_retry;

        /* What the bus tells. */
        UpdateReport report;
        UpdateFailure last_error;
        Rate rate; /* of the download */
        Metrics metrics;
        double emitted_progress;
        usec_t emitted_at;

        /* The next check. */
        Schedule schedule;
        sd_event_source *timer; /* NULL: not planned */
        usec_t next_check;      /* realtime, 0: not planned yet */
} Manager;

/* Does nothing yet. Everything is copied; event is referenced. */
int manager_new(sd_event *event, const char *root, const ManagerPrograms *programs,
                Manager **ret) _must_check_;
Manager *manager_free(Manager *manager);
DEFINE_CLEANUP(Manager *, manager_free);

/*
 * Connects to the bus and takes the name, finds out whether an update waits for its reboot, marks the running slot good
 * or begins its trial, and plans the first check. What goes wrong is logged.
 */
int manager_start(Manager *manager) _must_check_;

/*
 * manager-attempt.c: begins one, and takes note of what comes of it. -EBUSY: one is under way, an update waits for its reboot, or the version that runs is on trial
 * (then last_error says so).
 */
int manager_attempt(Manager *manager, AttemptKind kind) _must_check_;

/* Forgets an update that waits for its reboot. -EBUSY while an attempt is under way. */
int manager_reset(Manager *manager) _must_check_;

/* manager-schedule.c: sets the timer of the next check anew. */
void manager_plan_check(Manager *manager);

/* manager-staged.c, at the start: what became of the update that waited for a reboot? Notes it. */
int manager_settle_state(Manager *manager) _must_check_;

/* For the other files of the manager: what is on disk, in memory and on the bus follows. */
int manager_read_settings(Manager *manager) _must_check_;
void manager_read_slots(Manager *manager);
void manager_save_state(Manager *manager);
int manager_set_report(Manager *manager, UpdateStatus status, const char *version,
                       uint64_t size) _must_check_;
void manager_tell(Manager *manager, bool state_changed);

/* manager-notes.c: history, metrics and high-water marks. What can not be written is logged. */
void manager_note(Manager *manager, HistoryOutcome outcome, const char *version,
                  const UpdateFailure *failure); /* into the history; failure may be NULL */
void manager_note_staged(Manager *manager, const Attempt *attempt);
void manager_note_good(Manager *manager, const char *label); /* the running slot was marked good */
void manager_raise_marks(Manager *manager); /* as far as the running slot is good */
void manager_sweep(const Manager *manager); /* what a power cut left of writing files */
void manager_write_metrics(Manager *manager);

/*
 * manager-health.c. First without bus: marks the running slot good when there is nothing to wait for. Then, when
 * manager_needs_trial(), the trial begins.
 */
void manager_settle_health(Manager *manager);
bool manager_needs_trial(const Manager *manager);
int manager_begin_trial(Manager *manager) _must_check_;
/* Then no update is applied, and the server is told nothing. */
bool manager_is_on_trial(const Manager *manager);
int manager_refuse_on_trial(const Manager *manager, UpdateFailure *failure) _must_check_;
void manager_reboot_refused(Manager *manager, const char *why);

/*
 * manager-commands.c: what an operator may want. Each returns 0, or -errno with *failure filled. -EBUSY: not
 * while something else is under way.
 */
int manager_cancel(Manager *manager, UpdateFailure *failure) _must_check_;
int manager_rollback(Manager *manager, UpdateFailure *failure) _must_check_;
int manager_set_channel(Manager *manager, const char *channel, UpdateFailure *failure) _must_check_;
int manager_mark_good(Manager *manager, UpdateFailure *failure) _must_check_;
int manager_set_paused(Manager *manager, bool paused, UpdateFailure *failure) _must_check_;

/* From an URL, or (NULL) from an open file, which is copied. */
int manager_install(Manager *manager, const char *url, int fd, UpdateFailure *failure) _must_check_;

/* manager-bus.c: the interface of the original engine, and its signal. */
int manager_bus_open(Manager *manager) _must_check_;
void manager_emit_status(Manager *manager); /* StatusUpdate */
/* Asks logind; see manager_reboot_refused(). */
int manager_bus_reboot(Manager *manager) _must_check_;

/* manager-bus2.c: Manager2. */
extern const sd_bus_vtable manager2_vtable[];
void manager_emit_changed(Manager *manager, const char *const *properties); /* ended by NULL */
void manager_emit_progress(Manager *manager);
