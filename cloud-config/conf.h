/*
 * The update.conf files of a host, as the daemons see them: from strong to weak, in all spellings of their place.
 */
#pragma once

#include "base/env-file.h"

#define UPDATE_CONF_PATH "/etc/coreos/update.conf"
#define VENDOR_CONF_PATH "/usr/share/coreos/update.conf"

#define CONF_FILES 4

typedef struct Conf {
        EnvFile files[CONF_FILES]; /* empty where there is none */
} Conf;

/* Reads the files below root; those that are not there do not count. Lines that can not be read are skipped. */
int conf_read(const char *root, Conf *ret) _must_check_;

/* The value of a variable and the file that it is from; NULL when it is set nowhere, or empty. Borrowed. */
const char *conf_get(const Conf *conf, const char *variable, const char **ret_path);

/*
 * The file that takes a setting of locksmithd's drop-in out of force, because systemd lets an EnvironmentFile= win over
 * Environment=; NULL when none does. *ret_name is the variable in that file (owned).
 */
int conf_overrides(const Conf *conf, const char *variable, const char **ret_path,
                   char **ret_name) _must_check_;

void conf_done(Conf *conf);
