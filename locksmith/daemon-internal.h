/*
 * What the parts of the daemon share; for nobody else.
 */
#pragma once

#include "claim.h"
#include "clearance.h"
#include "clock-watch.h"
#include "daemon.h"
#include "departure.h"
#include "duration.h"
#include "lock-event.h"
#include "notify.h"
#include "session.h"
#include "state-tell.h"
#include "update-watch.h"

/* What the event loop ends with when there is nothing left to do; else with 0, or negative. */
#define DAEMON_AT_REST 1

typedef struct Daemon {
        const Settings *settings;
        char *machine_id;
        sd_event *event;
        Session session;
        Facts facts;
        sd_event_source *decide; /* runs strategy_next() */
        Action action;           /* what it said last */

        Claim *claim;             /* waits for its turn, and takes the lock */
        LockOperation *operation; /* release, or looking whether there is an etcd */
        char *record_key, *ticket_key;
        DepartureSides departure;
        char *lock_why;         /* why it takes long, or NULL */
        sd_event_source *retry; /* after a refused reboot, and when patience ends */
        Backoff refused;

        /* daemon-rest.c */
        sd_event_source *rest; /* ends the loop when there is nothing left to do */
        Handover *next;        /* takes what the next stage needs to know then; NULL: never */

        /* daemon-tell.c */
        StateTell tell;
        char *kept_back; /* why a clearance was refused, as it was told last, to tell changes only */
        char *told_late; /* the same of a fleet that has stopped */
        Hooks *notification;
        char *notify_reasons[_NOTIFY_EVENT_MAX]; /* of those that are still to be sent; else NULL */
        bool came_back;                          /* a reboot is over: to be told when all is well */
        bool told_ill;                           /* that it is not was told */
        usec_t started;

        /* daemon-window.c */
        ClockWatch *clock;
        sd_event_source *window; /* when it opens or closes */
        char *window_why;        /* why it is of no use although it is open, or NULL */
        usec_t reboot_takes;     /* that much of it must be left; 0: not known */

        /* daemon-clearance.c */
        Clearance *clearance;
        char *clearance_why; /* what keeps it up, or NULL */
        sd_event_source *clearance_retry;
        Backoff clearance_backoff;
        Guard *guard; /* looks whether the member of etcd on this host is back */
        sd_event_source *member_retry;
        Backoff member_backoff;

        /* daemon-record.c */
        LockCall *record_call;
        sd_event_source *record_retry;
        Backoff record_backoff;
        char *host_key, *hosts_key;
        char *host_note;  /* what is to be kept of this host, or NULL: it is kept already */
        bool is_new;      /* it is not known yet */
        bool is_known;    /* it is, with this boot */
        char *host_name;  /* "" when it has none */
        uint64_t n_hosts; /* that are known, with this one */
        char *fallback;   /* why the last reboot counts as failed, or NULL */

        /* daemon-bus.c */
        UpdateWatch watch;
        sd_bus_slot *slot_call, *reboot_call;
        sd_event_source *slot_retry;
        Backoff slot_backoff;
        char *to_version; /* what the reboot brings */
} Daemon;

/* A fact has changed. */
void daemon_decide_later(Daemon *daemon);

/* Calls handler after the backoff's next span; one timer, which is used again. */
int daemon_retry_later(Daemon *daemon, sd_event_source **timer, Backoff *backoff,
                       sd_event_time_handler_t handler);

/* Tells what it does, when there is something new to tell. */
void daemon_say(Daemon *daemon);
/* One event in the journal; reason may be NULL. */
void daemon_tell(Daemon *daemon, LockEvent event, const char *reason, const char *format, ...)
        _printf_(4, 5);
/* Runs the programs in notify.d, behind those that run already. */
void daemon_notify(Daemon *daemon, NotifyEvent event, const char *reason);
void daemon_notify_next(Daemon *daemon);
/* A reboot is over and the host is well; or it is not, with a lock that it keeps: told once when that lasts. */
void daemon_be_back(Daemon *daemon);
void daemon_be_ill(Daemon *daemon, const char *why);
void daemon_tell_done(Daemon *daemon);

/* The lock is in this state, and why it is for long (NULL: it is not). */
void daemon_set_lock(Daemon *daemon, LockState state, const char *why);

/* Watches clock and time zone, and learns how long the last reboot took. */
int daemon_window_start(Daemon *daemon) _must_check_;
/* Learns whether the window is open and long enough, and wakes up when that changes, if a reboot is
 * due. */
int daemon_window_look(Daemon *daemon) _must_check_;
void daemon_window_done(Daemon *daemon);

/* Gives the lock back, however long that takes. */
void daemon_release(Daemon *daemon);

/* The same with a lock from before the start, unless somebody has taken it by hand since the boot.
 */
void daemon_release_old(Daemon *daemon);
void daemon_record_done(Daemon *daemon);

/* What goes into the transaction that gives the lock back. */
int daemon_release_edit(Semaphore *semaphore, PolicyView *view, int64_t revision, void *daemon);

/* Makes this host known to its group, unless it is. Returns false when there is nothing to do; else
 * on_done is called. */
bool daemon_register(Daemon *daemon, LockOnResult on_done);

/* Asks for the clearance to take the lock, or to reboot; told as facts. */
void daemon_ask_clearance(Daemon *daemon, ClearanceKind kind);
/* What was agreed counts no longer; hooks that run are killed. */
void daemon_forget_clearance(Daemon *daemon);

/* Asks whether a member of etcd on this host is well, until it is; nothing when that is under way. */
void daemon_check_member(Daemon *daemon);
void daemon_member_done(Daemon *daemon);

/* Connects to the bus and begins to watch the update daemon, or goes on where woken has stopped (NULL: nobody has). A bus
 * that is lost is looked for again. */
int daemon_bus_start(Daemon *daemon, Handover *woken) _must_check_;
/* An update waits for a reboot, or none does. */
void daemon_take_report(Daemon *daemon, bool due, const char *version);
void daemon_bus_done(Daemon *daemon);

/* Asks whether the running slot is good, until it is; nothing when that is under way. */
void daemon_check_slot(Daemon *daemon);

void daemon_reboot(Daemon *daemon);
void daemon_on_accepted(Daemon *daemon);
void daemon_on_refused(Daemon *daemon, const char *why);

int daemon_rest_start(Daemon *daemon) _must_check_;
/* Ends the loop with DAEMON_AT_REST when there is nothing left to do, and nothing else has happened. */
void daemon_rest_later(Daemon *daemon);
/* Goes on with what another stage knew. The lock of coordinator.conf and the bus are the business of others. */
int daemon_take_over(Daemon *daemon, Handover *handover) _must_check_;
