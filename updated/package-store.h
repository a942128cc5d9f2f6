/*
 * The images of packages on this host: which ones we put there, how one comes into its place, and when it goes. Each
 * is noted before it exists, so that nothing is forgotten; it has its name only when it is whole and durable.
 */
#pragma once

#include "packages.h"

#define PACKAGES_PATH "/var/lib/updated/packages"

/* All owned. */
typedef struct PackageEntry {
        char *name, *directory, *version;
        uint8_t sha256[SHA256_SIZE]; /* of the package it was made of */
        bool hashed;                 /* it is known what the image itself hashes to */
        uint8_t image_sha256[SHA256_SIZE];
} PackageEntry;

typedef struct PackageRecord {
        PackageEntry *items;
        size_t n_items;
} PackageRecord;

/* Lines that are damaged are passed over: an image that nobody knows of is left alone. -ENOMEM, -E2BIG. */
int package_record_parse(const char *text, PackageRecord *ret) _must_check_;
int package_record_print(const PackageRecord *record, char **ret) _must_check_;
void package_record_done(PackageRecord *record);

/* A file that is not there, or can not be read, is an empty record. */
int package_record_read(const char *root, PackageRecord *ret) _must_check_;

/* Is it in its place, whole? What is listed may also be on its way. */
bool package_is_there(const char *root, const PackageEntry *entry);

/*
 * Is its image in its place, from an earlier attempt? Returns 1 with the open file, which is the caller's, and what its
 * bytes have to hash to: a name and a note do not tell what became of them since. 0: it has to be fetched.
 */
int package_find(const char *root, const PlannedPackage *package, int *ret_fd,
                 uint8_t ret_sha256[static SHA256_SIZE]) _must_check_;

/*
 * Begins to write an image; one that has its name is removed. The file that it goes into is the caller's:
 * package_commit() or package_discard() follow.
 */
int package_begin(const char *root, const PlannedPackage *package, int *ret_fd) _must_check_;

/*
 * Everything was written to fd and verified: durable, then in its place. image_sha256 is that of the bytes in it;
 * NULL: nobody says, and it is fetched anew when it is wanted again.
 */
int package_commit(const char *root, const PlannedPackage *package, int fd,
                   const uint8_t *image_sha256) _must_check_;
void package_discard(const char *root, const PlannedPackage *package);

/* Removes the images of all versions but those. What can not be removed is tried again the next time. */
int packages_collect(const char *root, const TextList *keep) _must_check_;
