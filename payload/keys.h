/*
 * Trusted public keys, and the private ones of those who make payloads.
 */
#pragma once

#include "payload/signature-list.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 16384
#define KEY_FILE_MAX (64 * KIB)

/*
 * How people tell keys apart: the SHA-256 of the public key in DER form (SubjectPublicKeyInfo), of which so many
 * bytes are shown, in hex.
 */
#define KEY_ID_SHOWN 8

/* The key at index, from 0: "0123456789abcdef (file)"; borrowed. */
const char *keys_describe(const PayloadKeys *keys, size_t index);

/*
 * Which key made the signature over a SHA-256, for a payload of that format version? Returns
 * its index, or -ENOKEY. Version 1 knows RSA only. A signature with a key id is by that key or by none: the id is not
 * signed itself.
 */
int keys_verify(const PayloadKeys *keys, uint64_t version, const uint8_t sha256[static SHA256_SIZE],
                const Signature *signature) _must_check_;

/*
 * Does the text name a key of an OpenSSL provider: "pkcs11:object=release"? A file that is called
 * so is a file.
 */
bool key_is_uri(const char *text);

/* Errors as payload_keys_add_file(); -ENOPKG: no provider of OpenSSL knows such keys. */
int keys_add_uri(PayloadKeys *keys, const char *uri) _must_check_;

typedef struct PrivateKey PrivateKey;

/* From a file or a URI. Errors as keys_add_uri(). */
int private_key_load(const char *path, PrivateKey **ret) _must_check_;
PrivateKey *private_key_free(PrivateKey *key);
DEFINE_CLEANUP(PrivateKey *, private_key_free);

/* Version 1 of the format knows no other kind. */
bool private_key_is_rsa(const PrivateKey *key);

/*
 * Sets what is known of a signature before it is made: its size, the padded size where it varies, the id of the key
 * (where the key tells: one in a token may not).
 */
void private_key_signature_begin(const PrivateKey *key, Signature *ret);
int private_key_sign(const PrivateKey *key, const uint8_t sha256[static SHA256_SIZE],
                     Signature *ret) _must_check_;
