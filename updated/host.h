/*
 * Who this host is: the version that runs, its board and application, its machine, its boot.
 */
#pragma once

#include "base/macros.h"

#define HOST_APP_ID_DEFAULT "{e96281a6-d1af-4bde-9a0a-97b76e56dc57}"
#define HOST_TEST_IMAGE \
        "/root/.dev_mode" /* a developer's machine: left alone, and told to the server */
#define HOST_VERSION_UNKNOWN "0.0.0"

/* All owned, none NULL: "" when not known. */
typedef struct Host {
        char *version; /* HOST_VERSION_UNKNOWN when no file tells it */
        char *board;   /* "amd64-usr" */
        char *app_id;  /* with braces */
        char *oem, *oem_version;
        char *machine_id; /* 32 hexadecimal digits, no braces */
        char *boot_id;    /* a UUID without braces */
        char *machine;    /* of uname(2): "x86_64" */
        bool incomplete; /* a file that would tell could not be read: version and OEM may be others */
} Host;

/* Reads the release files, ids and OEM files below root. What is missing stays ""; what is malformed is logged. */
int host_read(const char *root, Host *ret) _must_check_;
void host_done(Host *host);

/* Does anything say for sure which version runs? */
bool host_version_is_known(const Host *host);

/* A number that is this host's own for ever, evenly distributed over a fleet: made of its machine id. */
uint64_t host_place(const Host *host);
