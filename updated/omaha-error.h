/*
 * Why an update did not happen: one enumeration for the whole daemon, and the one table that gives each
 * value its word (for logs, JSON and the worker's pipe) and its number in the Omaha protocol.
 */
#pragma once

#include "base/macros.h"
#include "base/string-table.h"
#include "payload/payload.h"

typedef enum UpdateErrorCode {
        UPDATE_ERROR_NONE,
        UPDATE_ERROR_GENERIC,          /* our own fault: out of memory, a bug, a worker that died */
        UPDATE_ERROR_NO_ANSWER,        /* the update server can not be reached */
        UPDATE_ERROR_HTTP_STATUS,      /* it answered with an HTTP error, see http_status */
        UPDATE_ERROR_ANSWER_EMPTY,     /* an answer without a body */
        UPDATE_ERROR_ANSWER_XML,       /* an answer that is no well-formed, bounded XML */
        UPDATE_ERROR_ANSWER_INVALID,   /* XML, but not an answer to what was asked */
        UPDATE_ERROR_SLOTS,            /* no usable target slot */
        UPDATE_ERROR_KEYS,             /* no trusted key on this host */
        UPDATE_ERROR_TRANSFER,         /* the payload could not be fetched */
        UPDATE_ERROR_PAYLOAD_FORMAT,   /* not a payload, or a version that is not known */
        UPDATE_ERROR_PAYLOAD_MANIFEST, /* malformed, or over a limit */
        UPDATE_ERROR_PAYLOAD_UNHASHED, /* data without a hash */
        UPDATE_ERROR_PAYLOAD_DATA,     /* data with a wrong hash */
        UPDATE_ERROR_PAYLOAD_OPERATION, /* data that can not be unpacked */
        UPDATE_ERROR_PAYLOAD_SIZE,      /* not as long as announced */
        UPDATE_ERROR_PAYLOAD_HASH,      /* not the announced SHA-256 */
        UPDATE_ERROR_PAYLOAD_UNSIGNED,
        UPDATE_ERROR_PAYLOAD_SIGNATURE,
        UPDATE_ERROR_PAYLOAD_BASE,      /* a delta for something else */
        UPDATE_ERROR_TARGET_SMALL,      /* the image is larger than the slot */
        UPDATE_ERROR_TARGET_WRITE,      /* the target slot could not be written */
        UPDATE_ERROR_TARGET_CONTENT,    /* it does not read back as it was written */
        UPDATE_ERROR_ACTIVATE,          /* the slot could not be made the next one to boot */
        UPDATE_ERROR_ROLLED_BACK,       /* the new version did not boot, the old one runs again */
        UPDATE_ERROR_CANCELLED,         /* somebody asked for it */
        UPDATE_ERROR_POLICY,            /* a version that update.conf does not let in */
        UPDATE_ERROR_BACKOFF,           /* the payload failed too often: later */
        UPDATE_ERROR_SETTINGS,          /* update.conf names what can not be used */
        UPDATE_ERROR_PACKAGE,           /* an image beside the payload is missing, or not right */
        UPDATE_ERROR_POSTINST,          /* a program that has a say before the activation says no */
        UPDATE_ERROR_POSTINST_FIRMWARE, /* the image's postinst: booted from the second firmware */
        _UPDATE_ERROR_MAX,
        _UPDATE_ERROR_INVALID = -EINVAL,
} UpdateErrorCode;

DECLARE_STRING_TABLE(update_error, UpdateErrorCode);

/* An error with its sentence, for people: what, why, and what to do where that is known. */
typedef struct UpdateFailure {
        UpdateErrorCode code;
        unsigned http_status; /* of UPDATE_ERROR_HTTP_STATUS */
        char *text;           /* owned; may be NULL when memory is short */
} UpdateFailure;

void update_failure_done(UpdateFailure *failure);

/* Fills failure (what was in it is freed) and returns error, so that "return update_failure_set(…)" reads well. */
int update_failure_set(UpdateFailure *failure, int error, UpdateErrorCode code, const char *format,
                       ...) _printf_(4, 5);

const char *update_failure_text(const UpdateFailure *failure); /* never NULL */

UpdateErrorCode update_error_from_payload(PayloadRefusal refusal);

/* Flags that are added to the number (spec/update-engine.md §1.4). */
#define OMAHA_ERROR_FLAG_RESUMED (UINT32_C(1) << 30)
#define OMAHA_ERROR_FLAG_TEST    (UINT32_C(1) << 29)
#define OMAHA_ERROR_FLAG_SERVER  (UINT32_C(1) << 28) /* SERVER is not the built-in one */

/* The base number of the Omaha protocol, without flags. */
uint32_t omaha_error_number(const UpdateFailure *failure);
