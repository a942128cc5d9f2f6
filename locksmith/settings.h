/*
 * The settings of the lock and of the reboot manager, from their sources in this order: the command
 * line and the LOCKSMITHCTL_ variables (locksmithctl only), the environment, the drop-in of
 * cloud-config, update.conf of the administrator, update.conf of the vendor. A variable that is set
 * but empty counts as not set.
 */
#pragma once

#include "base/string-table.h"
#include "etcd.h"
#include "strategy.h"
#include "windows.h"

#define SETTINGS_MAX 24

#define SETTINGS_LOGIN_GRACE     (5 * USEC_PER_MINUTE)
#define SETTINGS_LOGIN_GRACE_MAX USEC_PER_DAY
#define SETTINGS_RETURN_TIME     (1 * USEC_PER_HOUR)
#define SETTINGS_HOOK_TIME       (10 * USEC_PER_MINUTE)
#define SETTINGS_HOOK_TIME_MAX   USEC_PER_DAY
#define SETTINGS_FREE_GONE_MAX   (30 * USEC_PER_DAY)
#define SETTINGS_FAILURE_BUDGET  1

/* Where the lock is. */
typedef enum SettingsBackend {
        SETTINGS_BACKEND_ETCD,
        SETTINGS_BACKEND_FLEETLOCK,
        _SETTINGS_BACKEND_MAX,
        _SETTINGS_BACKEND_INVALID = -EINVAL,
} SettingsBackend;
DECLARE_STRING_TABLE(settings_backend, SettingsBackend);

typedef struct Settings {
        char *root;  /* what is / to us, or NULL */
        char *group; /* of the lock; "" is the default group */
        char *endpoint, *ca_file, *certificate_file, *key_file, *user, *password, *api_text;
        char *backend_text, *fleetlock_url;
        char *strategy_text, *window_start, *window_length;
        char *windows_text, *blackout_text, *time_zone;
        char *login_grace_text, *hook_time_text, *return_time_text, *settle_time_text,
                *duration_text;
        char *failure_budget_text, *free_gone_text;
        char *metrics_file;          /* NULL: none is written */
        char *origins[SETTINGS_MAX]; /* for settings_origin() */

        /* What the texts above mean. */
        SettingsBackend backend;
        EtcdSettings etcd; /* its texts are ours */
        Strategy strategy;
        Window window; /* of window_start and window_length, the classic one */
        bool has_window;
        Windows windows;    /* that one and all others, less the days without any */
        usec_t login_grace; /* how long users who are logged in keep a reboot up */
        usec_t settle_time; /* how long a host is up before it gives the lock back; 0: at once */
        usec_t return_time; /* a holder that is down for longer is not coming back; 0: it is */
        usec_t hook_time;   /* how long each hook may take */
        usec_t free_gone; /* for so long nobody may free the slot of a host that is down; 0: ever */
        uint64_t failure_budget; /* so many hosts that fail stop the fleet; 0: they do not */
        usec_t duration;         /* how long a reboot takes, if has_duration: else see duration.h */
        bool has_duration;
        char *reboot_problem; /* see settings_read() */
} Settings;

/*
 * Reads all settings and checks them. Fields that are set already (by the command line) stay. With
 * ctl the LOCKSMITHCTL_ variables count, and what is wrong with strategy, window and the like is no error but goes
 * to reboot_problem: who has to free a lock at night needs none of them. -EINVAL with a line for people in
 * *ret_why, which the caller frees.
 */
int settings_read(Settings *settings, bool ctl, char **ret_why) _must_check_;

/*
 * Where settings_read() found the setting of that name ("REBOOT_STRATEGY"), for people: a file and its line, a variable
 * of the environment, "command line", "default". Borrowed; NULL for a name that there is not.
 */
const char *settings_origin(const Settings *settings, const char *name);

/* The id under which this host holds the lock: the text of /etc/machine-id, or with FleetLock what
 * Zincati derives from it. -EBADMSG when that is none. */
int settings_machine_id(const Settings *settings, char **ret) _must_check_;

void settings_done(Settings *settings);
