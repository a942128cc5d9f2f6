/*
 * A client of etcd: a list of endpoints, one call at a time or several, watches; over the v3 JSON
 * gateway or the v2 keys API. Everything is asynchronous on the event loop. Rules:
 * spec/etcd-gateway.md part A.
 *
 * An endpoint that does not answer, or answers 5xx, makes the next one current. A read then goes on
 * there; a write does not, because it may have been done: its outcome is unknown, and only its
 * owner can find out by reading.
 */
#pragma once

#include "base/http.h"
#include "base/text.h"
#include "etcd-v2-wire.h"
#include "etcd-wire.h"

#define ETCD_CONNECT_TIMEOUT (2 * USEC_PER_SEC)
#define ETCD_TOTAL_TIMEOUT   (8 * USEC_PER_SEC)
#define ETCD_ENDPOINTS_MAX   16

typedef enum EtcdApi {
        ETCD_API_V3,
        ETCD_API_V2,
        ETCD_API_AUTO, /* where the lock of the group is; v3 for a new one */
        _ETCD_API_MAX,
        _ETCD_API_INVALID = -EINVAL,
} EtcdApi;

typedef struct Etcd Etcd;
typedef struct EtcdCall EtcdCall;
typedef struct EtcdWatch EtcdWatch;

/* Borrowed, for as long as the client lives. */
typedef struct EtcdSettings {
        TextList endpoints; /* URLs without a slash at the end */
        const char *ca_file, *certificate_file, *key_file;
        const char *user, *password;
        EtcdApi api;
} EtcdSettings;

typedef enum EtcdOutcome {
        ETCD_DONE, /* body is the answer; of v2 also what it says of a key that is not as wanted */
        ETCD_UNKNOWN, /* a write that was sent, without an answer that tells whether it was done */
        ETCD_FAILED,  /* it was not done: why tells */
} EtcdOutcome;

/* Borrowed: valid inside the callback only. */
typedef struct EtcdReply {
        EtcdOutcome outcome;
        const char *body;
        size_t size;
        const char *why;
        long status;            /* of HTTP; 0: there was no answer */
        const char *cluster_id; /* as v2 tells it beside the answer; "" when not said */
} EtcdReply;

typedef void (*EtcdOnReply)(const EtcdReply *reply, void *userdata);

int etcd_new(Http *http, const EtcdSettings *settings, Etcd **ret) _must_check_;
Etcd *etcd_free(Etcd *etcd); /* calls and watches must have ended */
DEFINE_CLEANUP(Etcd *, etcd_free);

/*
 * Posts body to path ("/v3/kv/range"). Takes body, also when it fails. on_reply is called once,
 * never from inside this call, unless etcd_cancel().
 */
int etcd_call(Etcd *etcd, const char *path, char *body, bool write, EtcdOnReply on_reply,
              void *userdata, EtcdCall **ret) _must_check_;
EtcdCall *etcd_cancel(EtcdCall *call); /* returns NULL; NULL is fine */

/* One request of the v2 API. */
typedef struct EtcdV2Message {
        const char *method; /* GET, PUT, DELETE */
        const char *key;    /* what it is about; NULL: no key, but path */
        const char *query;  /* about key, escaped; NULL: none */
        const char *path;   /* escaped */
        const char *form;   /* of PUT; else NULL */
        bool write;
        bool wait; /* a long poll: the answer may come in hours */
} EtcdV2Message;

/* Reads a key as all members know it. */
#define ETCD_V2_GET(of) ((EtcdV2Message) { .method = "GET", .key = (of), .query = "quorum=true" })

#define ETCD_V2_NO_ANSWER "the answer is none of etcd's v2 API"

/* The same as etcd_call(), with everything borrowed during the call only. -EINVAL: v2 can have no
 * key of that name. */
int etcd_v2_call(Etcd *etcd, const EtcdV2Message *message, EtcdOnReply on_reply, void *userdata,
                 EtcdCall **ret) _must_check_;

/* Posts body to path and does not care for the answer, nor whether there is one. Takes body. */
void etcd_send(Etcd *etcd, const char *path, char *body);
void etcd_v2_send(Etcd *etcd, const EtcdV2Message *message);

/* Which API is spoken. */
EtcdApi etcd_api(const Etcd *etcd);
void etcd_set_api(Etcd *etcd, EtcdApi api);

typedef enum EtcdQuestion {
        ETCD_ASK_STATUS, /* of the member that is asked */
        ETCD_ASK_MEMBERS,
        ETCD_ASK_HEALTH, /* of v2 only, whose status may tell of a leader that it has lost */
        _ETCD_QUESTION_MAX,
} EtcdQuestion;

/* Asks about members, over the API that is spoken; those below read the answer. */
int etcd_ask(Etcd *etcd, EtcdQuestion question, EtcdOnReply on_reply, void *userdata,
             EtcdCall **ret) _must_check_;
int etcd_read_status(const Etcd *etcd, const EtcdReply *reply, EtcdStatus *ret) _must_check_;
bool etcd_read_health(const EtcdReply *reply);
int etcd_read_members(const Etcd *etcd, const EtcdReply *reply, EtcdMembers *ret) _must_check_;

/*
 * Called once: with the line that tells of a change of the key (or of the end of the watch:
 * line->canceled), or with NULL and why.
 */
typedef void (*EtcdOnChange)(const EtcdWatchLine *line, const char *why, void *userdata);

/* What to watch: key, or all keys from it on and before end. */
typedef struct EtcdWatchRequest {
        const char *key, *end; /* end may be NULL */
        int64_t start_revision;
} EtcdWatchRequest;

/* Waits for the first change at or behind a revision. The answer ends the watch. */
int etcd_watch(Etcd *etcd, const EtcdWatchRequest *request, EtcdOnChange on_change, void *userdata,
               EtcdWatch **ret) _must_check_;
EtcdWatch *etcd_watch_cancel(EtcdWatch *watch);

/*
 * Was anybody there at an endpoint, at any time: an answer, an error of TLS, one that hangs? False
 * when all that was asked has refused the connection, can not be reached, or has no address.
 */
bool etcd_was_reached(const Etcd *etcd);

/* Makes the next endpoint current. */
void etcd_rotate(Etcd *etcd);
