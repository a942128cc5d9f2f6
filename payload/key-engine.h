/*
 * Keys in PKCS #11 tokens, where OpenSSL has an engine for them and no provider.
 */
#pragma once

#include <openssl/evp.h>

#include "base/macros.h"

/* "pkcs11:…". -ENOPKG: another kind of URI, or no engine is installed; -EBADMSG: no such key. */
int engine_load_key(const char *uri, bool private, EVP_PKEY **ret) _must_check_;
