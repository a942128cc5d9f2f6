/*
 * A host of which only the media are real: boots by the boot loader's rule, runs the real daemon on what it finds,
 * and reboots when that asks for it.
 */
#pragma once

#include "crash/loader.h"
#include "crash/recorder.h"
#include "crash/release.h"
#include "crash/world.h"

#define HOST_BOOTS_MAX 4 /* more are never needed to come to rest */

/* What one life of the daemon came to. */
typedef struct Session {
        bool staged;     /* it wants a reboot into the other slot */
        bool good;       /* the running slot is marked good */
        bool ill;        /* the version that runs was not found good */
        bool refused;    /* the offered version did not boot before */
        char error[512]; /* why the attempt failed; "" when it did not */
} Session;

/* Everything but disk and state. sector_size: of the disk that host_world() makes. */
void host_init(const char *root);

/* From now on a check finds this release ill, and the host leaves it at once. */
void host_make_ill(const char *root, const Release *release);

/* A host that runs the installed release, has the old one in its second slot, and did nothing yet. */
void host_world(const char *root, unsigned sector_size, World *ret);

/* Power on: the release that runs, or NULL when nothing starts, or nothing whole. A try is used up on disk. */
const Release *host_boot(const char *root);

/* The same; what the boot loader changed on the boot partition is in *change. */
const Release *host_boot_changing(const char *root, LoaderChange *change);

/* The daemon starts, checks for an update, and takes it. */
void host_run(const char *root, Session *ret);

/* Boots and runs until wanted runs and is good: true. Otherwise *ret_why says what happened. */
bool host_converge(const char *root, const Release *wanted, char **ret_why);

/* The same for a daemon that was killed, while the system runs on: it is started again first. */
bool host_converge_restarted(const char *root, const Release *wanted, char **ret_why);
