/*
 * What has to agree besides the lock, asked one after another: before the lock is taken, and again
 * while it is held. Nothing in here holds the lock, and the first that says no ends the round.
 */
#pragma once

#include "base/bus.h"
#include "base/hooks.h"
#include "guard.h"
#include "latecomers.h"

#define HOOKS_PRE_REBOOT "/etc/sluice/pre-reboot.d" /* may this host reboot? */
#define HOOKS_DRAIN      "/etc/sluice/drain.d"      /* move the work elsewhere */

typedef enum ClearanceKind {
        CLEARANCE_LOCK, /* before the lock: inhibitors, users, pre-reboot.d, latecomers, etcd's quorum */
        CLEARANCE_REBOOT, /* behind it: inhibitors and quorum again, drain.d, a last word to users */
        _CLEARANCE_KIND_MAX,
} ClearanceKind;

typedef struct Clearance Clearance;

typedef struct ClearanceRequest {
        ClearanceKind kind;
        Session *session; /* borrowed, as the next two, for as long as the round lasts */
        sd_bus *bus;      /* attached to the session's event loop */
        const Settings *settings;
        const char *version; /* what the reboot brings, or NULL; borrowed during the call */
        bool with_lock;      /* the quorum of etcd matters */
        bool is_known; /* this host is known to its group since this boot: it can see a twin */
        /* What takes long, for people. */
        void (*on_wait)(const char *why, void *userdata);
        /* Hosts that have not come back have stopped the fleet; on_done follows. */
        void (*on_stopped)(const char *why, void *userdata);
        /* why is NULL when all agree; else who does not, and why. */
        void (*on_done)(const char *why, void *userdata);
        void *userdata;
} ClearanceRequest;

/* Callbacks come from the event loop, never from inside this call. */
int clearance_start(const ClearanceRequest *request, Clearance **ret) _must_check_;

/* Ends the round without calling back; hooks that run are killed. Returns NULL; NULL is fine. */
Clearance *clearance_cancel(Clearance *clearance);

/* Until when users are left alone: of the time they still have, what passes before the next word
 * to them. They hear of it at once, at 5 min, and at 1 min. */
usec_t clearance_grace_step(usec_t left);
