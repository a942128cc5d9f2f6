/*
 * How HTTP goes from this host: whom TLS trusts, who we are, through which proxy, how fast. Comes from update.conf,
 * goes through the plan to the worker, which can read no file of root's: so certificates travel as text.
 */
#pragma once

#include "base/buffer.h"
#include "base/env-file.h"
#include "base/http.h"

#define TRANSPORT_PEM_MAX (64 * KIB)  /* of one file */
#define TRANSPORT_CA_MAX  (256 * KIB) /* of all authorities: a plan has to carry them */

/* All owned; NULL: not set. */
typedef struct Transport {
        char *ca_file, *ca_directory, *certificate_file, *key_file; /* as update.conf names them */
        char *ca, *certificate, *key;                               /* what is in them: PEM */
        char *pinned_key;                                           /* "sha256//…" */
        char *proxy; /* "": none, whatever the environment says */
        char *no_proxy;
        char *user, *password; /* for payloads, over https only */
        uint64_t rate_max;     /* bytes/s of a payload; 0: no limit */
        uint64_t rate_min;     /* bytes/s; less … */
        usec_t stall;          /* … for so long is a dead connection; 0: HTTP_LOW_SPEED_SECONDS */
        usec_t connect_timeout; /* name, connection and TLS; 0: HTTP_CONNECT_TIMEOUT */
        char *broken; /* why it can not be used: nothing is fetched with half of the settings */
} Transport;

void transport_done(Transport *transport);

int transport_copy(const Transport *transport, Transport *ret) _must_check_; /* without paths */

/* Reads the files that are named, below root. What fails is kept in broken. -ENOMEM. */
int transport_load(Transport *transport, const char *root) _must_check_;

/*
 * Sets what belongs to a request of url; the parameters borrow from transport. payload: the rate limit and the
 * password are for it. Returns 0, or -ENOKEY when transport->broken says why.
 */
int transport_apply(const Transport *transport, const char *url, bool payload,
                    HttpParameters *parameters) _must_check_;

/* Lines "HTTP_…=" of a plan, and back. -EBADMSG for what transport_print() would not have written. */
int transport_print(const Transport *transport, Buffer *text) _must_check_;
int transport_parse(const EnvFile *file, Transport *ret) _must_check_;
