/*
 * update.conf, and which of its lines is in force: all spellings of its place from strong to weak, and above them
 * the drop-in of cloud-config and the environment. One reader for the daemons, their tools and cloud-config, so
 * that the origin they tell is the one that counts.
 */
#pragma once

#include "base/env-file.h"

#define CONF_PATH    "/etc/coreos/update.conf"
#define CONF_DROP_IN "/run/systemd/system/locksmithd.service.d/20-cloudinit.conf"

/* What is in force when nobody says anything. */
#define CONF_SERVER_DEFAULT   "https://public.update.flatcar-linux.net/v1/update/"
#define CONF_GROUP_DEFAULT    "stable"
#define CONF_STRATEGY_DEFAULT "reboot"
#define CONF_ENDPOINT_DEFAULT "http://127.0.0.1:2379,http://127.0.0.1:4001"

#define CONF_FILES 4

/* From strong to weak: the administrator's, then the vendor's. */
extern const char *const conf_paths[CONF_FILES];

typedef struct Conf {
        bool environment; /* our own counts, above all others */
        EnvFile drop_in;  /* the environment that it gives to locksmithd; empty: not read */
        EnvFile files[CONF_FILES]; /* empty where there is none */
} Conf;

/* A value, and where it stands. Everything is borrowed. */
typedef struct ConfValue {
        const char *text; /* NULL: set nowhere, what follows is NULL and 0 then */
        const char *name; /* the variable that has it */
        const char *path; /* NULL: the environment */
        unsigned line;    /* in that file */
} ConfValue;

/* Reads the file number i below root; that it is not there is fine. Odd lines as for env_file_parse(). */
int conf_read_file(const char *root, size_t i, EnvFileWarn warn, void *userdata,
                   Conf *conf) _must_check_;

/* Reads all four. */
int conf_read(const char *root, EnvFileWarn warn, void *userdata, Conf *conf) _must_check_;

/* Reads the drop-in, quoted as systemd has it; that it is not there is fine. */
int conf_read_drop_in(const char *root, Conf *conf) _must_check_;

/*
 * The value in force of a setting with these names, from strong to weak and ended by NULL: a stronger name counts
 * wherever it stands. What is empty counts as not set.
 */
ConfValue conf_find(const Conf *conf, const char *const *names);

/* For people: "/etc/coreos/update.conf:3", "LOCKSMITHD_GROUP in the environment", "default". *ret is the caller's. */
int conf_origin(const ConfValue *value, char **ret) _must_check_;

void conf_done(Conf *conf);
