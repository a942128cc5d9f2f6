/*
 * A version on trial: waits until the boot is complete, runs the administrator's checks, and tells what is to be done
 * (health.h decides). Begun once, when the running slot is not good yet.
 */
#pragma once

#include "base/bus.h"
#include "config.h"
#include "health.h"

#define TRIAL_HOOKS "/etc/sluice/post-boot.d"

typedef struct Trial Trial;

/* All borrowed for as long as it runs. */
typedef struct TrialRequest {
        sd_event *event;
        sd_bus *bus;
        const char *root;
        const char *version;  /* that is on trial */
        const Config *config; /* read during the call only */
        bool way_back;        /* see HealthFacts */
        bool went_back;
        void (*on_change)(void *userdata); /* trial_text() says something else */
        /* Once. action is MARK_GOOD, STAY or GO_BACK; why is NULL when it is good. */
        void (*on_end)(HealthAction action, const char *why, void *userdata);
        void *userdata;
} TrialRequest;

/* Is there anything to wait for? Without systemd and without checks the start of the daemon is the whole trial. */
bool trial_is_needed(const char *root, const Config *config);

/* Callbacks come from the event loop, never from inside this call. */
int trial_new(const TrialRequest *request, Trial **ret) _must_check_;
Trial *trial_free(Trial *trial); /* kills a check that runs; may be called from on_end() */
DEFINE_CLEANUP(Trial *, trial_free);

/* What it waits for: "waits for boot-complete.target". */
const char *trial_text(const Trial *trial);
