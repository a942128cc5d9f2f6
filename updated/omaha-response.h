/*
 * The answer to an update check, from XML to a plain struct. Whatever a hostile server sends ends here: no
 * DOCTYPE, bounded size and depth, every value checked.
 */
#pragma once

#include "base/text.h"
#include "omaha-error.h"

#define OMAHA_ANSWER_MAX   (1 * MIB)
#define OMAHA_DEPTH_MAX    16
#define OMAHA_URLS_MAX     64
#define OMAHA_PACKAGES_MAX 256
#define OMAHA_VALUE_MAX    2048 /* bytes of one attribute that we use */
#define OMAHA_POLL_MAX     (UINT64_C(30) * 86400)

typedef struct OmahaPackage {
        char *name;
        uint64_t size; /* bytes, never 0 */
        bool hashed;   /* sha256 is known; hash, a SHA-1, is none */
        uint8_t sha256[SHA256_SIZE];
        bool required; /* by the server's word; what is wanted decides this host */
} OmahaPackage;

typedef enum OmahaVerdict {
        OMAHA_NO_UPDATE, /* nothing newer */
        OMAHA_NOT_NOW,   /* the server's policy says later; reason tells why */
        OMAHA_UPDATE,    /* everything below is filled */
} OmahaVerdict;

typedef struct OmahaResponse {
        OmahaVerdict verdict;
        char *reason;           /* the server's word behind OMAHA_NOT_NOW, or NULL */
        uint64_t poll_interval; /* seconds until the server wants to be asked again; 0: not said */
        char *version;          /* of the manifest; "" when not said */
        TextList urls;          /* where packages are; one at least */
        OmahaPackage *packages; /* the first is the payload of the operating system */
        size_t n_packages;
        uint8_t sha256[SHA256_SIZE]; /* of the whole first package */
        unsigned failures_per_url;   /* MaxFailureCountPerUrl */
        bool delta;
        bool no_backoff;
} OmahaResponse;

#define OMAHA_FAILURES_PER_URL_DEFAULT 10

void omaha_response_done(OmahaResponse *response);

/*
 * Reads the answer for the application app_id (compared without braces and letter case). Returns 0, or
 * -EBADMSG with *failure filled: empty, no XML, not an answer to our question, or an error of the server.
 */
int omaha_response_parse(const char *body, size_t size, const char *app_id, OmahaResponse *ret,
                         UpdateFailure *failure) _must_check_;

/*
 * Is this the answer of an Omaha server at all, and not the page of a hotel's network? What an answer to an
 * event says beyond that does not matter.
 */
bool omaha_response_is_answer(const char *body, size_t size);
