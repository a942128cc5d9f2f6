/*
 * Fetches the payload of a plan: several URLs, connections that break and are taken up again where they broke,
 * never two versions of a file spliced. What is done with the bytes is the sink's business.
 */
#pragma once

#include "base/http.h"
#include "plan.h"
#include "retries.h"

#define FETCH_TRIES_MAX       20 /* requests in all */
#define FETCH_IDLE_MAX        4 /* requests to one URL, one after the other, that brought nothing new */
#define FETCH_PROGRESS_MIN    (4 * KIB)
#define FETCH_DELAY_FIRST     (500 * USEC_PER_MSEC)
#define FETCH_DELAY_MAX       (20 * USEC_PER_SEC)
#define FETCH_RETRY_AFTER_MAX 60         /* seconds that a server may make us wait */
#define FETCH_SIZE_MAX        (64 * GIB) /* of a payload whose size nobody announced */
#define FETCH_JUMP_MIN        (64 * KIB) /* less is not worth a request of its own */

/* Where the bytes go. Each returns 0, or -errno with *failure filled. */
typedef struct FetchSink {
        int (*begin)(void *userdata,
                     UpdateFailure *failure); /* from the first byte, perhaps again */
        void (*announce)(uint64_t size,
                         void *userdata); /* now the size is known, the plan has none */
        void (*resume)(uint64_t offset,
                       void *userdata); /* what was pushed stays, from here it goes on */
        int (*push)(const void *data, size_t size, void *userdata, UpdateFailure *failure);
        /* After a push: what is before this byte is of no use. */
        uint64_t (*wanted)(void *userdata);
        int (*jump)(void *userdata,
                    UpdateFailure *failure); /* that byte is the next to be pushed */
        void (*judge)(size_t url, int verdict,
                      void *userdata); /* RetriesVerdict of an address; may be NULL */
        int (*finish)(void *userdata,
                      UpdateFailure *failure); /* all bytes are there; -ESTALE: anew */
        void *userdata;
} FetchSink;

/* error 0: the sink's finish() was content. Called once, from the event loop. */
typedef void (*FetchOnEnd)(int error, const UpdateFailure *failure, void *userdata);

typedef struct Fetch Fetch;

/* plan and http are borrowed and must outlive the fetch. */
int fetch_new(sd_event *event, Http *http, const UpdatePlan *plan, const FetchSink *sink,
              FetchOnEnd on_end, void *userdata, Fetch **ret) _must_check_;
Fetch *fetch_free(Fetch *fetch);
DEFINE_CLEANUP(Fetch *, fetch_free);

/* "bytes 5-9/10" is the rest of a file of size bytes from offset on, to its end. */
bool content_range_fits(const char *text, uint64_t offset, uint64_t size);
