/*
 * The update daemon itself: owns the bus, the timer, the settings and the current attempt; the only object that
 * knows all the others.
 */
#pragma once

#include "attempt.h"

typedef struct Manager {
        sd_event *event;
        sd_bus *bus;
        sd_event_source *timer; /* the next check */
        Http *http;
        Reporter *reporter;
        char *root;   /* "" for the host itself */
        char *worker; /* path of updated-worker */

        /* Read anew for every attempt. */
        Config config;
        Host host;
        Slots slots; /* as last read; n_partitions 0 when they can not be told */

        State state;
        Attempt *attempt; /* or NULL */

        /* What the bus tells. */
        UpdateReport report;
        UpdateFailure last_error;
        usec_t next_check; /* realtime, 0: not planned yet */
        double emitted_progress;
        usec_t emitted_at;

        usec_t last_wait; /* before the check that was due last */
        uint64_t poll_interval;
        bool server_busy;
} Manager;

/* worker: path of updated-worker. */
int manager_new(sd_event *event, const char *root, const char *worker, Manager **ret) _must_check_;
Manager *manager_free(Manager *manager);
DEFINE_CLEANUP(Manager *, manager_free);

/*
 * Marks the running slot good, finds out whether an update waits for its reboot, then connects to the bus, takes
 * the name, and plans the first check. What goes wrong is logged.
 */
int manager_start(Manager *manager) _must_check_;

/* Begins an attempt. -EBUSY: one is under way, or an update waits for its reboot. */
int manager_attempt(Manager *manager, AttemptKind kind) _must_check_;

/* Forgets an update that waits for its reboot. -EBUSY while an attempt is under way. */
int manager_reset(Manager *manager) _must_check_;

/* manager-bus.c: the two interfaces on the bus, and their signals. */
int manager_bus_open(Manager *manager) _must_check_;
void manager_emit_status(Manager *manager); /* StatusUpdate */
void manager_emit_changed(Manager *manager,
                          const char *const *properties); /* of Manager2; ended by NULL */
