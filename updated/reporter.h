/*
 * Tells the update server what happened: sends the event queue in order, one at a time, and tries again until
 * each was acknowledged.
 */
#pragma once

#include "transport.h"

#define REPORTER_DELAY_FIRST (5 * USEC_PER_SEC)
#define REPORTER_DELAY_MAX   (45 * USEC_PER_MINUTE)
#define REPORTER_TIMEOUT     (60 * USEC_PER_SEC)

typedef struct Reporter Reporter;

/* The queue is empty (delivered), or the server does not take it now. */
typedef void (*ReporterOnSettled)(bool delivered, void *userdata);

int reporter_new(sd_event *event, Http *http, const char *root, Reporter **ret) _must_check_;
Reporter *reporter_free(Reporter *reporter);
DEFINE_CLEANUP(Reporter *, reporter_free);

/* Where events go from now on, and how (borrowed); NULL: nowhere, they wait. */
int reporter_set_server(Reporter *reporter, const char *server,
                        const Transport *transport) _must_check_;

/* Adds a request to the queue and begins to send. */
int reporter_add(Reporter *reporter, const char *request) _must_check_;

/*
 * Sends now instead of waiting for the next try. Returns 0 when nothing is to be sent; 1 when on_settled will
 * be called once, from the event loop. A second call replaces the callback of the first.
 */
int reporter_flush(Reporter *reporter, ReporterOnSettled on_settled, void *userdata) _must_check_;

/* Nobody waits any more. */
void reporter_forget(Reporter *reporter);
