/*
 * The settings in force and where each comes from: the document, a file, or the default of the daemons.
 */
#pragma once

#include <stdio.h>

#include "base/conf.h"
#include "cloud-config/settings.h"

/*
 * Prints every setting: that of the document (source names it), else what conf has in force, else the default. Says
 * where the document has not been applied, or can not have an effect. Secrets are not shown. Returns 0 or -errno.
 */
int show_print(const Conf *conf, const Settings *settings, const char *source, bool json,
               FILE *stream) _must_check_;
