/*
 * One update attempt, from the question to the server to the slot that boots next: a table of stages, and one
 * function that goes from one to the next or to the error report.
 */
#pragma once

#include "boot-kernel.h"
#include "client.h"
#include "config.h"
#include "digest-file.h"
#include "host.h"
#include "package-store.h"
#include "postinst.h"
#include "reporter.h"
#include "retries.h"
#include "state.h"
#include "worker.h"

/* The update check is asked again after this when the server gives no answer at all. */
#define ATTEMPT_RETRY_DELAY     (10 * USEC_PER_SEC)
#define ATTEMPT_RETRIES         3 /* of a scheduled check … */
#define ATTEMPT_RETRIES_DEMAND  1 /* … and of one that somebody waits for */
#define ATTEMPT_REQUEST_TIMEOUT (60 * USEC_PER_SEC)

typedef enum AttemptKind {
        ATTEMPT_SCHEDULED,
        ATTEMPT_ON_DEMAND,
        ATTEMPT_PING,    /* an update waits for its reboot: only say that we live */
        ATTEMPT_INSTALL, /* an operator gives the payload: no server is asked or told */
} AttemptKind;

typedef enum AttemptOutcome {
        ATTEMPT_NOTHING, /* no update now, reason says why */
        ATTEMPT_STAGED,  /* the target boots next */
        ATTEMPT_FAILED,  /* failure says why; the target can not be booted */
} AttemptOutcome;

typedef struct Attempt Attempt;

typedef struct AttemptHooks {
        void (*on_change)(Attempt *attempt, void *userdata);    /* status, bytes, plan or slots */
        void (*on_continued)(Attempt *attempt, void *userdata); /* see continued */
        void (*on_end)(Attempt *attempt, AttemptOutcome outcome, void *userdata); /* may free it */
        void *userdata;
} AttemptHooks;

/* What an attempt works with; all borrowed, and must outlive it. */
typedef struct AttemptContext {
        sd_event *event;
        Http *http;
        Reporter *reporter;
        const char *root;
        const char *worker;   /* path of updated-worker */
        const char *postinst; /* and of updated-postinst */
        const Config *config;
        const Host *host;
        State *state; /* changed and saved as the attempt goes on */
} AttemptContext;

struct Attempt {
        AttemptContext context;
        AttemptHooks hooks;
        AttemptKind kind;
        int stage; /* index into the table of stages, or -1 after a failure */

        /* For on_change and on_end to read. */
        UpdateStatus status;
        bool answered;          /* the server answered the check */
        uint64_t poll_interval; /* its wish, in seconds; 0: none */
        bool server_busy;       /* it answered 500, 503 or 429 */
        uint64_t retry_after;   /* and asked for so many seconds */
        UpdatePlan plan;        /* once status is UPDATE_AVAILABLE */
        PackagePlan packages;   /* the same: what comes beside the payload */
        uint64_t bytes;         /* fetched, of attempt_total() */
        uint64_t image;   /* bytes of the image in the target, once it is verified; 0: not known */
        uint64_t resumed; /* the byte at which the worker went on last */
        uint64_t continued;    /* what is before that byte is of an interrupted attempt */
        bool put_off;          /* ATTEMPT_NOTHING, because the offer failed too often */
        bool round_ended;      /* of the retries: the next one is put off */
        bool slots_changed;    /* the attributes on disk are others than before */
        char *reason;          /* of ATTEMPT_NOTHING */
        UpdateFailure failure; /* of ATTEMPT_FAILED */

        /* Its own. */
        sd_event_source *timer;
        HttpRequest *request;
        Worker *worker;
        Postinst *postinst;
        OmahaResponse response;
        Retries retries;
        size_t url_numbers[OMAHA_URLS_MAX]; /* of the plan's addresses in the answer */
        char *url;                          /* of ATTEMPT_INSTALL: where the payload is, or … */
        int payload_fd;                     /* … the payload itself; else -1 */
        Slots slots;
        SlotRegion target;
        int checkpoint_fd; /* for the worker, or -1 */
        bool whole;        /* the payload is there and verified */
        bool judged;       /* it is known how its addresses did */
        BootKernel kernel;
        size_t package;                      /* of packages: the one under way */
        int package_fd;                      /* its file */
        DigestFile *package_digest;          /* of one that was there; … */
        uint8_t package_sha256[SHA256_SIZE]; /* … what it has to be */
        uint64_t packages_done;              /* bytes of those before it */
        bool events_pending; /* the server does not take events: do not overtake them */
        bool told_previous;  /* the request under way carries previous_version */
        unsigned n_retries;
};

const char *attempt_slot_name(const Attempt *attempt); /* of its target; NULL before there is one */

/* Bytes of the payload and of the packages beside it; 0: not known. */
uint64_t attempt_total(const Attempt *attempt);

/* Begins when the event loop runs next. The context is borrowed, the hooks are copied. on_end() is called once. */
int attempt_new(const AttemptContext *context, AttemptKind kind, const AttemptHooks *hooks,
                Attempt **ret) _must_check_;

/* Before an ATTEMPT_INSTALL begins: an URL, or an fd that is the attempt's own from now on. */
int attempt_set_source(Attempt *attempt, const char *url, int fd) _must_check_;

/* Stops it; on_end() comes later. -EALREADY: it has come to its end by itself. */
int attempt_cancel(Attempt *attempt) _must_check_;
Attempt *attempt_free(Attempt *attempt); /* stops everything; the target stays unselectable */
DEFINE_CLEANUP(Attempt *, attempt_free);
