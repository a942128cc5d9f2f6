/*
 * What the verbs of the payload tool share.
 */
#pragma once

#include <jansson.h>

#include "base/program.h"
#include "payload/keys.h"

extern const Option create_options[], digest_options[], sign_options[], info_options[],
        verify_options[], apply_options[];

int verb_create(int argc, char **argv);
int verb_digest(int argc, char **argv);
int verb_sign(int argc, char **argv);
int verb_info(int argc, char **argv);
int verb_verify(int argc, char **argv);
int verb_apply(int argc, char **argv);

/*
 * Loads public keys from files and directories of *.pem. Logs; returns negative or a usage exit
 * status.
 */
int tool_load_keys(const TextList *paths, PayloadKeys **ret) _must_check_;

/* The private keys to sign with. */
typedef struct PrivateKeys {
        PrivateKey *items[SIGNATURES_MAX];
        size_t n_items;
} PrivateKeys;

/* Logs. */
int tool_load_private_keys(const TextList *paths, PrivateKeys *ret) _must_check_;
void private_keys_done(PrivateKeys *keys);

/* Do both paths lead to one file? False as long as one of them is not there. */
bool tool_same_file(const char *a, const char *b);

/* Is there an --output that a payload can be written to? what says what goes there. 0 or EXIT_USAGE. */
int tool_output_check(const char *path, const char *what);

/* Logs why an output could not be opened. Returns r. */
int tool_output_failed(const char *path, int r);

/* Logs "path: why", with a hint where one exists, and forgets the error. Returns code. */
int tool_refused(const char *path, int code, PayloadError *error);

/* Prints an object as JSON on stdout and frees it. */
int tool_print_json(json_t *object);

/* Lower-case hexadecimal of a SHA-256. */
#define SHA256_TEXT (2 * SHA256_SIZE + 1)
const char *sha256_format(const uint8_t sha256[static SHA256_SIZE],
                          char buffer[static SHA256_TEXT]);
