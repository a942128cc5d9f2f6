/*
 * What is remembered of the payload that a server offers, over days and restarts: which of its addresses failed how
 * often, how often all of them were gone through, and until when it is put off. Pure; kept as one line in the state.
 */
#pragma once

#include "omaha-response.h"

#define RETRIES_DAYS_MAX 16 /* between two rounds */
#define RETRIES_TEXT_MAX 1024

typedef struct Retries {
        uint64_t
                offer; /* what it is about: a checksum of the answer's payload and addresses; 0: nothing */
        uint64_t
                rounds; /* through all addresses, or to a whole payload, without an update in the end */
        uint64_t not_before; /* seconds since 1970; 0: at once */
        size_t n_urls;
        unsigned failures[OMAHA_URLS_MAX]; /* of each address in this round */
} Retries;

/* What an attempt found out about an address. */
typedef enum RetriesVerdict {
        RETRIES_GOOD = 1 << 0,    /* bytes came from it: what failed before is forgotten */
        RETRIES_FAILED = 1 << 1,  /* it could not be reached, or broke off for good */
        RETRIES_REFUSED = 1 << 2, /* what came is no good, and will not be next time */
} RetriesVerdict;

/* -EBADMSG: not what retries_print() writes. */
int retries_parse(const char *text, Retries *ret) _must_check_;
int retries_print(const Retries *retries, char **ret) _must_check_;

/* Forgets everything when the offer is another one: addresses, size, SHA-256, or what the server says about retries. */
void retries_follow(Retries *retries, const OmahaResponse *response);

/* Has it to wait? A date that no round could have led to is a clock that was wrong. */
bool retries_must_wait(const Retries *retries, const OmahaResponse *response, uint64_t now);

/* Was this address given up in this round? */
bool retries_gave_up(const Retries *retries, const OmahaResponse *response, size_t url);

/* How an attempt went with an address; RetriesVerdict. */
void retries_judge(Retries *retries, const OmahaResponse *response, size_t url, int verdict);

/*
 * The attempt is over without an update; whole: not for want of the payload, which came and was good. When that, or
 * all addresses being given up, ends a round, the next one begins 1, 2, 4, … days later, six hours more or less.
 * chance: any number, evenly distributed. Returns whether a round ended.
 */
bool retries_end(Retries *retries, const OmahaResponse *response, bool whole, uint64_t now,
                 uint64_t chance);
