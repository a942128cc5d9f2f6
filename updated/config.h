/*
 * update.conf: what the administrator (and the vendor before him) decided. Read anew for every attempt.
 */
#pragma once

#include "base/time-util.h"
#include "health.h"
#include "slots.h"
#include "transport.h"

#define CONFIG_FIRST_CLASSIC    (7 * USEC_PER_MINUTE) /* FIRST_CHECK=classic */
#define CONFIG_INTERVAL_DEFAULT (45 * USEC_PER_MINUTE)
#define CONFIG_RATE_MIN_DEFAULT 1000 /* bytes/s: a gigabyte in 12 days */
#define CONFIG_TRIES_DEFAULT    1    /* of a new version, as update_engine gives it */
#define CONFIG_WORKER_DEFAULT   "sluice-update"
#define CONFIG_HEALTH_TARGET    "boot-complete.target"
#define CONFIG_HEALTH_TIMEOUT   (10 * USEC_PER_MINUTE)
#define CONFIG_SYSEXT_DEFAULT   "/etc/flatcar/sysext"
#define CONFIG_POSTINST_DEFAULT (10 * USEC_PER_MINUTE)
#define CONFIG_TIME_MAX         (30 * USEC_PER_DAY) /* a longer wait between checks is a typing error */

#define CONFIG_KEYS 40 /* that update.conf has for us */

typedef struct Config {
        char *server; /* NULL: "disabled", no server is asked */
        char *group;
        char *machine_alias;
        SlotSettings slots;
        char *worker_user;          /* "": the worker keeps the daemon's user */
        Transport transport;        /* with the files that it names */
        bool metered;               /* METERED=yes: nothing is fetched by schedule */
        bool downgrade;             /* DOWNGRADE=allow */
        char *minimum_version;      /* "": none */
        char *metrics_file;         /* NULL: none is written */
        char *sysext_directory;     /* where images of extensions go */
        char *oem_sysext_directory; /* where the one of the OEM goes; NULL: as is usual */
        bool postinst;              /* run the image's own */
        usec_t postinst_time;       /* at most, of it and of each hook */
        usec_t check_first;         /* 0: spread over one interval */
        usec_t check_interval;
        char *health_target; /* of systemd: the boot is complete; NULL: none is waited for */
        usec_t health_timeout;
        HealthFailure health_failure;
        char *origins[CONFIG_KEYS]; /* for config_origin() */
} Config;

/*
 * Reads the files of base/conf.h below root, vendor's before administrator's: the last value wins. What can not be used
 * is logged with file and line, and the value before it stays. Files that are not there are fine.
 */
int config_read(const char *root, Config *ret) _must_check_;
void config_done(Config *config);

/* Where the value of a key ("SERVER") is from, for people: a file and its line, or "default". Borrowed. */
const char *config_origin(const Config *config, const char *key);

/* Is SERVER another than the built-in one? */
bool config_server_is_private(const Config *config);

/* "90", "90s", "45min", "2h" to µs; at most CONFIG_TIME_MAX, and not zero. -EINVAL, -ERANGE. */
int config_time_parse(const char *text, usec_t *ret) _must_check_;
