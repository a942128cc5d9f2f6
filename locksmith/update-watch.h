/*
 * Watches the update daemon on the system bus: what it says, and that the bus is there. Both stages of locksmithd look at
 * it through this (stage.h).
 */
#pragma once

#include "backoff.h"
#include "base/bus.h"
#include "handover.h"
#include "updated/client.h"

#define UPDATE_WATCH_RETRY_FIRST (1 * USEC_PER_SEC) /* asking again, and looking for the bus */
#define UPDATE_WATCH_RETRY_MAX   (30 * USEC_PER_SEC)

/*
 * Set up the first group, the rest begins as nothing. Callbacks come from the event loop, or from inside
 * update_watch_resume().
 */
typedef struct UpdateWatch {
        sd_event *event; /* borrowed */
        int priority;    /* of the bus in it; 0 is the usual one */
        /* What counts from now on, borrowed; NULL: nothing new was learned. */
        void (*on_report)(const UpdateReport *report, void *userdata);
        /* The bus is lost: what was asked on it gets no answer, and it is gone behind this call. */
        void (*on_lost)(void *userdata);
        void *userdata;
        /* What the update daemon itself has said last, not root in its name; invalid before that. */
        UpdateStatus said;
        char *said_version; /* owned */

        sd_bus *bus;     /* NULL while there is none */
        bool is_resumed; /* said is from before: an answer that says the same again is no news */
        char *owner;     /* the update daemon's name on the bus, or NULL */

        sd_bus_slot *lost_match, *status_match, *owner_match, *status_call, *sender_call;
        sd_event_source *bus_retry; /* forgets a lost bus, or tries again to reach it */
        sd_event_source *status_retry;
        Backoff bus_backoff, status_backoff;
        sd_bus_message *signal; /* whose sender is being asked for */
} UpdateWatch;

/* Connects to the bus, and watches and asks the update daemon. A bus that is lost later is looked for again. */
int update_watch_start(UpdateWatch *watch) _must_check_;

/*
 * The same where another stage has watched before: nothing that came since then is missed, and a report that root sent in
 * the name of the update daemon goes on to count until the daemon says something new. A bus that is not there is looked for.
 */
int update_watch_resume(UpdateWatch *watch, Handover *handover) _must_check_;

/* May this one end, and another begin, without that a signal is lost whose sender is being asked for? */
bool update_watch_may_leave(const UpdateWatch *watch);

/* Hands over to that other one. What comes behind this call is for it; the watch can only be ended then. */
int update_watch_leave(UpdateWatch *watch, Handover *handover) _must_check_;

void update_watch_done(UpdateWatch *watch);
