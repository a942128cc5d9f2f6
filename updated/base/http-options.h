/*
 * What a request asks of curl: where to, how far, how long, whom to trust. All options but those that tie a request
 * to its callbacks, which are in http.c.
 */
#pragma once

#include <curl/curl.h>

#include "base/http.h"

/* Sets one option of curl and remembers a failure, so that a table of them reads as a table. */
#define SET(option, value) (failed |= curl_easy_setopt(easy, option, value) != CURLE_OK)

int http_options_set(CURL *easy, const HttpParameters *parameters) _must_check_;
