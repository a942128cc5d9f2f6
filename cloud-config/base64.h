/*
 * base64 as MIME has it: in lines, with white space that does not count.
 */
#pragma once

#include <stddef.h>

#include "base/macros.h"

/* Decodes text; a NUL follows the bytes, which the caller frees. -EBADMSG when it is damaged. */
int base64_decode(const char *text, size_t size, char **ret, size_t *ret_size) _must_check_;
