/*
 * A program that runs beside the event loop: its output comes line by line, its end is told once,
 * and it has a time limit.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/time-util.h"

#define PROCESS_LINE_MAX 400                /* longer lines are cut */
#define PROCESS_GRACE    (5 * USEC_PER_SEC) /* between SIGTERM and SIGKILL at the time limit */

#define PROCESS_STATUS_SIGNAL 128 /* and the number of the signal: its status when one ended it */

typedef struct Process Process;

typedef struct ProcessRequest {
        const char *const *arguments;   /* [0] is looked for in PATH when it has no slash */
        const char *const *environment; /* NULL: ours */
        usec_t time_limit;
        /* A line of its output, printable. NULL: nobody reads it. */
        void (*on_line)(const char *line, void *userdata);
        /* status: what it exited with, PROCESS_STATUS_SIGNAL and more, or -ETIMEDOUT when it took
         * too long. why: NULL when that is 0; else a line for people. */
        void (*on_end)(int status, const char *why, void *userdata);
        void *userdata;
} ProcessRequest;

/* Callbacks come from the event loop, never from inside this call. The request is borrowed during
 * the call only. */
int process_start(sd_event *event, const ProcessRequest *request, Process **ret) _must_check_;

/* Kills it with all it has started, without calling back. Returns NULL; NULL is fine. */
Process *process_kill(Process *process);
