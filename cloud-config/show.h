/*
 * The settings in force and where each comes from: the document, a file, or the default of the daemons.
 */
#pragma once

#include <stdio.h>

#include "cloud-config/settings.h"

/*
 * Prints every setting: that of the document (source names it, may be NULL), else that of update.conf below root,
 * else the default. Secrets are not shown. Returns 0 or -errno.
 */
int show_print(const char *root, const Settings *settings, const char *source, bool json,
               FILE *stream) _must_check_;
