/*
 * Small releases of an operating system, with real signed payloads made by the payload tool.
 */
#pragma once

#include "payload/payload.h"

/* Three operations of the payload: there are places in the middle to go on from. */
#define IMAGE_SIZE  (2 * MIB + 192 * KIB)
#define SLOT_SIZE   (3 * MIB)
#define KERNEL_SIZE (6 * KIB)

#define PACKAGE_NAME      "oem-crash" /* the image that every release has beside it */
#define PACKAGE_SIZE      (16 * KIB)
#define PACKAGE_DIRECTORY "/var/lib/updated/sysext" /* below what is recorded */

/* In the order of their making; each knows its place in the tests. */
typedef enum ReleaseNumber {
        RELEASE_OLD,       /* in the second slot, a way back */
        RELEASE_INSTALLED, /* what runs at first */
        RELEASE_WANTED,    /* what the server offers */
        RELEASE_LATER,     /* what it offers when that did not boot */
        _RELEASE_MAX,
} ReleaseNumber;

typedef struct Release {
        const char *version;
        uint8_t *image; /* IMAGE_SIZE bytes */
        char *payload;
        size_t payload_size;
        uint8_t sha256[SHA256_SIZE]; /* of the payload */
        char *kernel;
        size_t kernel_size;
        uint8_t *package_image; /* PACKAGE_SIZE bytes */
        char *package;
        size_t package_size;
        uint8_t package_sha256[SHA256_SIZE];
        char *package_path; /* of its image, below root */
} Release;

/* Makes all of them in directory, and the public key of their signatures there as key.pub.pem. */
void releases_make(const char *directory, const char *payload_tool);
void releases_done(void);

/* Which kernels they have from now on: plain ones, or unified kernel images. */
void releases_use_uki(bool uki);

const Release *release_get(ReleaseNumber number);

/* Whose image begins there? NULL: nobody's, or not a whole one. */
const Release *release_of(const uint8_t *slot);
