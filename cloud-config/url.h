/*
 * One rule for every URL of a document: absolute http or https, parsed by libcurl, in the characters that all
 * readers of update.conf (the daemons, systemd, a shell) take as they stand.
 */
#pragma once

#include "base/macros.h"

/*
 * Returns 0 with *ret_credentials, -EINVAL with constant texts in *ret_why and *ret_hint (may be NULL),
 * or -ENOMEM.
 */
int url_check(const char *url, const char **ret_why, const char **ret_hint,
              bool *ret_credentials) _must_check_;

/* True for https. The URL was checked before. */
bool url_is_https(const char *url);
