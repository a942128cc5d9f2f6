/*
 * gzip, with a limit on what comes out.
 */
#pragma once

#include "cloud-config/finding.h"

/* True when data begins as gzip does. */
bool gzip_detect(const char *data, size_t size);

/*
 * Decompresses data to at most max bytes; a NUL follows them. Returns 0, -EBADMSG after a finding at place,
 * or -ENOMEM. *ret is the caller's.
 */
int gzip_inflate(const char *data, size_t size, size_t max, Place place, Findings *findings,
                 char **ret, size_t *ret_size) _must_check_;
