/*
 * The store of payloads: files in DIR/payloads, each named by the SHA-256 of what is in it.
 */
#pragma once

#include <stdio.h>

#include "base/macros.h"

#define STORE_DIRECTORY "payloads"
#define STORE_MAGIC     "CrAU" /* the first four bytes of every payload */

typedef struct StoredPayload {
        uint64_t size;
        char *sha256; /* hexadecimal; the name of the file */
        char *sha256_base64;
        char *sha1_base64;
} StoredPayload;

/*
 * Copies the file at path into the store durably and says what came to lie there: the digests are
 * those of the copy, not of a file that may change meanwhile. -EBADMSG: it does not begin with
 * CrAU. Progress is drawn on stream when that is a terminal.
 */
int store_add(const char *directory, const char *path, FILE *stream,
              StoredPayload *ret) _must_check_;

/* Opens a payload for reading; sha256 is 64 hexadecimal digits. Returns an fd or -errno. */
int store_open(const char *directory, const char *sha256) _must_check_;

/* Removes a payload that nothing leads to. */
int store_remove(const char *directory, const char *sha256);

void stored_payload_done(StoredPayload *payload);
