/*
 * User data from a web server: one bounded transfer, waited for, tried again while the network comes up.
 */
#pragma once

#include "base/time-util.h"
#include "cloud-config/source.h"

#define SOURCE_URL_TRIES         15
#define SOURCE_URL_TIMEOUT       (10 * USEC_PER_SEC)
/* Between tries: doubled from the first to the last. */
#define SOURCE_URL_BACKOFF_FIRST (50 * USEC_PER_MSEC)
#define SOURCE_URL_BACKOFF_LAST  (5 * USEC_PER_SEC)

/* True for http:// and https://. */
bool url_is_remote(const char *text);

/*
 * Fetches url. An answer of 4xx is final; no connection and 5xx are tried again. Returns 0, or -errno with
 * *ret_why (owned).
 */
int source_fetch(const char *url, Source *ret, char **ret_why) _must_check_;
