/*
 * The public keys that this host trusts, as the worker gets them: one PEM text.
 */
#pragma once

#include "omaha-error.h"

#define KEYS_FILE      "/usr/share/update_engine/update-payload-key.pub.pem"
#define KEYS_DIRECTORY "/usr/share/update_engine/keys.d"
#define KEYS_FILE_MAX  (64 * KIB)

/* Both places are read. No key at all is a failure: nothing unsigned is ever accepted. *ret is the caller's. */
int keys_read(const char *root, char **ret, UpdateFailure *failure) _must_check_;
