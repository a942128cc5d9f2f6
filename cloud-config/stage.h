/*
 * Replacing several files as one: all new texts are written and synced beside their targets first; only when that
 * went well are they renamed into place, one after the other.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "base/macros.h"

typedef struct StagedFile {
        char *path;      /* owned, with the root in front */
        char *temporary; /* owned; NULL: the file goes */
} StagedFile;

typedef struct Stage {
        StagedFile *files; /* owned */
        size_t n_files;
} Stage;

/* Writes text beside path (below root); missing directories are made. text NULL: path will be removed. */
int stage_add(Stage *stage, const char *root, const char *path, const char *text, mode_t mode,
              uid_t uid, gid_t gid) _must_check_;

/* The same with a symbolic link to target. */
int stage_add_link(Stage *stage, const char *root, const char *path,
                   const char *target) _must_check_;

/* Renames everything into place, in the order of adding. Stops at the first error; *ret_path says where. */
int stage_commit(Stage *stage, const char **ret_path) _must_check_;

/* Removes temporary files that were not committed. */
void stage_done(Stage *stage);
