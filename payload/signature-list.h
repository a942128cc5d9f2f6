/*
 * The message at the end of a payload: the signatures, each with the version number that tells
 * an old client which one is meant for it.
 */
#pragma once

#include "base/buffer.h"
#include "payload/manifest.h"

#define SIGNATURES_MAX           16
#define SIGNATURE_SIZE_MAX       2048 /* RSA with 16384 bits */
#define SIGNATURE_VERSION_CLIENT 2    /* the one that CoreOS and Flatcar look at; it comes last */

typedef struct Signature {
        uint32_t version; /* 0 in format version 2 */
        size_t size;      /* bytes in use of data */
        size_t padded_size; /* with the zeros behind it: where the size varies (ECDSA), the largest; or 0 */
        uint8_t data[SIGNATURE_SIZE_MAX];
        bool has_key_id; /* version 2, made by this project: it is by that key, or by none */
        uint8_t key_id[SHA256_SIZE];
} Signature;

typedef struct SignatureList {
        Signature *items; /* owned */
        size_t n_items;
} SignatureList;

/* Parses the message of a payload of that format version. */
int signature_list_parse(uint64_t version, const void *data, size_t size, SignatureList *ret,
                         PayloadError *error) _must_check_;
void signature_list_done(SignatureList *list);

/* Appends the message for list to buffer; its size depends on the sizes in list only. */
int signature_list_write(uint64_t version, const SignatureList *list, Buffer *buffer) _must_check_;
