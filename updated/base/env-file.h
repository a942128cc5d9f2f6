/*
 * KEY=VALUE files: update.conf, os-release, release, our state files. The grammar is that of systemd's
 * EnvironmentFile= as far as our files use it: comments (# ;), one pair of quotes, no continuation lines.
 */
#pragma once

#include "base/macros.h"

typedef struct EnvEntry {
        char *key;
        char *value;
        unsigned line; /* where it stands, from 1 */
} EnvEntry;

typedef struct EnvFile {
        char *path; /* as given, for messages */
        EnvEntry *entries;
        size_t n_entries;
} EnvFile;

/* Called for every line that is neither entry, comment nor blank. */
typedef void (*EnvFileWarn)(const char *path, unsigned line, const char *why, void *userdata);

/* Logs "PATH:LINE: why" as a warning: the usual EnvFileWarn. */
void env_file_log(const char *path, unsigned line, const char *why, void *userdata);

/* Parses text. Malformed lines are reported through warn (may be NULL) and skipped. */
int env_file_parse(const char *path, const char *text, EnvFileWarn warn, void *userdata,
                   EnvFile *ret) _must_check_;

/* Reads and parses a file below root. -ENOENT when it is not there. */
int env_file_read(const char *root, const char *path, EnvFileWarn warn, void *userdata,
                  EnvFile *ret) _must_check_;

/* The last entry with that key, or NULL: the last one wins. */
const EnvEntry *env_file_find(const EnvFile *file, const char *key);
const char *env_file_get(const EnvFile *file, const char *key);

void env_file_done(EnvFile *file);
