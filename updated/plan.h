/*
 * The decision: what the server offers, what this host can take, what is to be done. An UpdatePlan is the whole
 * contract between the daemon and its worker; as text it is one KEY=VALUE a line.
 */
#pragma once

#include "omaha-response.h"
#include "policy.h"
#include "slots.h"
#include "transport.h"

#define PLAN_TEXT_MAX (512 * KIB)
#define PLAN_FILE_MAX (8 * GIB) /* bytes of an image that goes into a file of its own */

typedef struct UpdatePlan {
        char *version; /* what will run; "" when nobody says */
        TextList
                urls; /* of the payload itself, in the order to try; none: it comes as an open file */
        uint64_t size; /* bytes of the payload; 0: nobody knows before it is fetched */
        bool announced; /* sha256 is known beforehand: by a server, not with a payload from an operator */
        uint8_t sha256[SHA256_SIZE];
        unsigned failures_per_url;
        /* The region of the target fd. Size 0: a file of its own, which becomes as large as its image. */
        uint64_t target_offset, target_size;
        uint64_t kernel_size_max; /* bytes that the kernel may have; 0: it is not written */
        uint64_t checkpoint;      /* where in its fd its room begins; 0: there is none */
        Transport transport;      /* for the URLs */
        uint64_t now;             /* seconds since 1970: what has expired by then is refused */
        uint64_t made_min;        /* the same unit: what was made before is refused; 0: nothing */
} UpdatePlan;

void update_plan_done(UpdatePlan *plan);

/* What is known of earlier attempts; borrowed. */
typedef struct PlanHistory {
        VersionPolicy policy;
        const char *failed_sha256; /* hexadecimal, of the payload that did not boot, or NULL: … */
        const char *failed_version; /* … then its version counts; or NULL */
} PlanHistory;

/*
 * Decides, without looking at anything else. Returns 1 with *ret filled (target region still 0: the target is
 * not open yet); 0 when there is nothing to do, with *ret_reason saying why (the caller's); or -errno with
 * *failure filled.
 */
int plan_decide(const OmahaResponse *response, const Slots *slots, const PlanHistory *history,
                UpdatePlan *ret, char **ret_reason, UpdateFailure *failure) _must_check_;

/*
 * The plan for a payload that an operator gives: an URL, or (NULL) an open file of size bytes. Returns 0, or
 * -errno with *failure filled.
 */
int plan_install(const Slots *slots, const char *url, uint64_t size, UpdatePlan *ret,
                 UpdateFailure *failure) _must_check_;

/* Adds the address of a package below a codebase; one that is no http(s) URL is left out. */
int plan_add_url(TextList *urls, const char *base, const char *name) _must_check_;

int update_plan_print(const UpdatePlan *plan, char **ret) _must_check_;

/* -EBADMSG for anything that update_plan_print() would not have written. */
int update_plan_parse(const char *text, UpdatePlan *ret) _must_check_;
