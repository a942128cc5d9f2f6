/*
 * Multipart MIME as clouds use it: several user data in one. RFC 2046 as far as that, nothing nested.
 */
#pragma once

#include "cloud-config/user-data.h"

/* A header longer than this is refused. */
#define MULTIPART_HEADER_MAX (16 * KIB)

/* RFC 2046: at most 70 characters. */
#define MULTIPART_BOUNDARY_MAX 70

/* True when text begins with MIME headers. */
bool multipart_detect(const char *text, size_t size);

/*
 * Appends the parts that text contains, each classified. Returns 0 (findings tell what is wrong), or -ENOMEM.
 */
int multipart_parse(const char *text, size_t size, Findings *findings,
                    UserData *user_data) _must_check_;
