/*
 * User data from a web server: one bounded, blocking transfer through libcurl, tried again while the network comes up.
 */
#pragma once

#include "cloud-config/source.h"

#define SOURCE_URL_TRIES              15
#define SOURCE_URL_TIMEOUT_SEC        10
/* Between tries: doubled from the first to the last. */
#define SOURCE_URL_BACKOFF_FIRST_MSEC 50
#define SOURCE_URL_BACKOFF_LAST_MSEC  5000

/* True for http:// and https://. */
bool url_is_remote(const char *text);

/*
 * Fetches url. An answer of 4xx is final; no connection and 5xx are tried again. Returns 0, or -errno with
 * *ret_why (owned).
 */
int source_fetch(const char *url, Source *ret, char **ret_why) _must_check_;
