/*
 * A file that appears under its name only when it is complete. It is written without a name where the file system
 * can do that, so that nothing is left of it when the program is killed, else beside it; then renamed.
 */
#pragma once

#include <sys/stat.h>

#include "base/macros.h"

typedef struct OutputFile {
        int fd;          /* owned; of the temporary file, for reading and writing */
        char *path;      /* owned; where it is going to be, symbolic links resolved */
        char *temporary; /* owned; NULL when it has no name, or its own */
        bool keep;       /* what is not committed stays, to go on with it later */
} OutputFile;

#define OUTPUT_FILE_NONE \
        (OutputFile)     \
        {                \
                .fd = -1 \
        }

/* -EISDIR, -EEXIST (there is something that is no regular file), or what open(2) says. */
int output_file_open(const char *path, OutputFile *ret) _must_check_;

/*
 * The same with a temporary name that is always the same, PATH.partial, and with what is in it:
 * an earlier run may have begun it. Locked: -EWOULDBLOCK when another run has it.
 */
int output_file_resume(const char *path, OutputFile *ret) _must_check_;

/* Syncs it and gives it its name; an existing file is replaced, and its permissions are kept. */
int output_file_commit(OutputFile *file) _must_check_;

/* Removes it, unless it was committed or is to be kept. */
void output_file_done(OutputFile *file);

/*
 * A file without a name in the directory of path: it vanishes when it is closed. Returns the
 * fd.
 */
int output_file_scratch(const char *path) _must_check_;
