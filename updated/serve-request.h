/*
 * What an Omaha client sends: bytes of XML in, a plain struct out. Hostile input: no document type,
 * bounded in size, depth and number; element and attribute names that mean nothing here are passed
 * over.
 */
#pragma once

#include "base/macros.h"

#define REQUEST_SIZE_MAX      (64 * KIB) /* as Nebraska has it */
#define REQUEST_DEPTH_MAX     8
#define REQUEST_APPS_MAX      16
#define REQUEST_EVENTS_MAX    16  /* of one app */
#define REQUEST_ATTRIBUTE_MAX 256 /* bytes of one value that is kept */

typedef struct RequestEvent {
        int64_t type, result, error_code;
        char *previous_version; /* "" when it is not there, as all texts here */
} RequestEvent;

typedef struct RequestApp {
        char *appid, *version, *track, *board, *machine_id;
        bool ping;
        bool update_check;
        RequestEvent events[REQUEST_EVENTS_MAX];
        size_t n_events;
} RequestApp;

typedef struct Request {
        RequestApp *apps;
        size_t n_apps;
} Request;

/*
 * Parses one request. -EBADMSG: it is none, and ret_why (borrowed, static) says why in a few words;
 * -ENOMEM. ret is the caller's to free with request_done().
 */
int request_parse(const char *text, size_t size, Request *ret, const char **ret_why) _must_check_;
void request_done(Request *request);
