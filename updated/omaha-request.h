/*
 * Requests of the Omaha protocol, version 3, as update_engine writes them: the same elements and attributes in
 * the same order, every value escaped.
 */
#pragma once

#include "config.h"
#include "host.h"

typedef enum OmahaEventType {
        OMAHA_EVENT_UPDATE_COMPLETE = 3,
        OMAHA_EVENT_DOWNLOAD_STARTED = 13,
        OMAHA_EVENT_DOWNLOAD_FINISHED = 14,
} OmahaEventType;

typedef enum OmahaEventResult {
        OMAHA_RESULT_ERROR = 0,
        OMAHA_RESULT_SUCCESS = 1,
        OMAHA_RESULT_SUCCESS_REBOOT = 2, /* the new version runs: carries previous_version */
        OMAHA_RESULT_DEFERRED = 9,       /* refused by this host's policy; carries an error, too */
} OmahaEventResult;

typedef struct OmahaEvent {
        OmahaEventType type;
        OmahaEventResult result;
        const char *previous_version; /* borrowed; of OMAHA_RESULT_SUCCESS_REBOOT */
        uint32_t error;               /* of OMAHA_RESULT_ERROR, with flags */
} OmahaEvent;

typedef struct OmahaRequest {
        const Host *host;
        const Config *config;
        const char *aleph_version; /* the first version this host ever ran */
        bool on_demand;            /* somebody asked for it; else it is the schedule's */
        bool ping;
        bool check;
        const OmahaEvent *event; /* or NULL */
} OmahaRequest;

/* Everything in request is borrowed. *ret is the document, the caller's. */
int omaha_request_build(const OmahaRequest *request, char **ret) _must_check_;
