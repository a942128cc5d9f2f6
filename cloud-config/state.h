/*
 * What cloud-config did to this host, so that it can be undone when the document no longer asks for it.
 * /var/lib/updated/cloud-config.state, JSON.
 */
#pragma once

#include "cloud-config/schema.h"

#define STATE_PATH "/var/lib/updated/cloud-config.state"

/* Unit actions: what a change of the outputs asks for, and what is still to be done after a failure. */
typedef enum UnitSteps {
        STEP_RELOAD = 1 << 0, /* systemd reads unit files again */
        STEP_STOP_LOCKSMITHD = 1 << 1,
        STEP_RESTART_LOCKSMITHD = 1 << 2,
        STEP_RESTART_ENGINE = 1 << 3,
} UnitSteps;

typedef struct State {
        char *set[_KEY_MAX];    /* the value that we wrote to update.conf, or NULL */
        char *before[_KEY_MAX]; /* the line that was there before us, or NULL */
        bool drop_in;           /* the drop-in is ours */
        bool masked;            /* the mask of locksmithd is ours */
        unsigned pending;       /* UnitSteps that failed or never began */
} State;

/* Reads the state below root; a file that is not there gives an empty state, a damaged one -EBADMSG. */
int state_read(const char *root, State *ret) _must_check_;

/* The state as text; *ret is NULL for an empty state. */
int state_render(const State *state, char **ret) _must_check_;

void state_done(State *state);
