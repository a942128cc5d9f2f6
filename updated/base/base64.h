/*
 * Base64 with the standard alphabet, always padded (RFC 4648 §4), as etcd, Omaha and MIME have it. Strict:
 * every text has exactly one value, and nothing else decodes.
 */
#pragma once

#include "base/macros.h"

/* The caller frees *ret. -EFBIG above 1 GiB. */
int base64_encode(const void *data, size_t size, char **ret) _must_check_;

/*
 * *ret is the caller's, a NUL follows its *ret_size bytes. -EBADMSG for anything but canonical base64, such
 * as white space in it; -EFBIG above 1 GiB.
 */
int base64_decode(const char *text, char **ret, size_t *ret_size) _must_check_;
