/*
 * Where user data comes from: a file, standard input, a URL, or the places where clouds and installers leave it.
 */
#pragma once

#include "base/macros.h"

/* What was read, and what to call it in messages. */
typedef struct Source {
        char *name; /* owned: the path or URL, without credentials */
        char *data; /* owned */
        size_t size;
} Source;

/*
 * Reads one source: "-" is standard input, http:// and https:// are fetched, everything else is a path (as it
 * stands, not below a root). Returns 0, or -errno and in *ret_why (owned) "NAME: why" without passwords, or NULL.
 */
int source_read(const char *name, Source *ret, char **ret_why) _must_check_;

/*
 * Looks for the host's own user data below root: cloud-config-url= on the kernel command line, a config drive,
 * the installer's and the image's files. The first that is there counts. Returns 1, 0 when there is none,
 * or -errno as source_read().
 */
int source_find(const char *root, Source *ret, char **ret_why) _must_check_;

void source_done(Source *source);
