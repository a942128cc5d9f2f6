/*
 * What is said in the FleetLock protocol, by clients and by servers (spec/reboot-coordinators.md §2).
 * Pure. Both sides read foreign bytes: bounded by their reader, decoded, checked, then plain texts.
 */
#pragma once

#include "base/text.h"

#define FLEETLOCK_HEADER       "fleet-lock-protocol"
#define FLEETLOCK_TAKE_PATH    "v1/pre-reboot"
#define FLEETLOCK_RELEASE_PATH "v1/steady-state"

#define FLEETLOCK_REQUEST_MAX (8 * KIB)
#define FLEETLOCK_REPLY_MAX   (64 * KIB)
#define FLEETLOCK_KIND_MAX    64
#define FLEETLOCK_VALUE_MAX   256
#define FLEETLOCK_NAME_MAX    256 /* longer ids and groups are refused */

/* The kinds of errors that we send; servers have others. */
#define FLEETLOCK_BUSY          "failed_lock"
#define FLEETLOCK_BAD_CLIENT    "invalid_client_identity"
#define FLEETLOCK_UNKNOWN_GROUP "unknown_group"
#define FLEETLOCK_FAILED        "failed_sem_init"

typedef struct FleetlockRequest {
        char *id; /* printable ASCII without blanks */
        char *group;
} FleetlockRequest;

/* Is it a name of a group in this protocol? */
bool fleetlock_group_is_valid(const char *group);

int fleetlock_request_build(const char *id, const char *group, char **ret) _must_check_;
/* -EBADMSG with a constant text in *ret_why for what is no request. */
int fleetlock_request_parse(const char *body, size_t size, FleetlockRequest *ret,
                            const char **ret_why) _must_check_;
void fleetlock_request_done(FleetlockRequest *request);

/* value is made fit to be shown. */
int fleetlock_error_build(const char *kind, const char *value, char **ret) _must_check_;
/* Both are "" when the body says nothing of the kind; they can be shown as they are. */
void fleetlock_error_parse(const char *body, size_t size, char kind[static FLEETLOCK_KIND_MAX],
                           char value[static FLEETLOCK_VALUE_MAX]);
