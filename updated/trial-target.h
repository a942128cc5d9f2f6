/*
 * Waits for a unit of systemd to be active: the target that stands for a complete boot.
 */
#pragma once

#include "base/bus.h"
#include "base/time-util.h"

#define TRIAL_TARGET_RETRY (1 * USEC_PER_SEC) /* when systemd does not answer yet */

typedef struct TrialTarget TrialTarget;

typedef struct TrialTargetRequest {
        sd_event *event;
        sd_bus *bus;
        const char *unit;  /* "boot-complete.target"; borrowed during the call */
        usec_t time_limit; /* it must be active within this time */
        /* Once, from the event loop. why is NULL when it is active; else a sentence: it never will, or not in time. */
        void (*on_done)(const char *why, void *userdata);
        void *userdata;
} TrialTargetRequest;

/* Does systemd run this host? As sd_booted(3), below root. */
bool trial_target_has_systemd(const char *root);

int trial_target_new(const TrialTargetRequest *request, TrialTarget **ret) _must_check_;
/* Asks no more; may be called from on_done(). */
TrialTarget *trial_target_free(TrialTarget *target);
DEFINE_CLEANUP(TrialTarget *, trial_target_free);
