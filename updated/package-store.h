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
 * Begins to write an image. Returns 1 when it is there already; 0 with the file that it goes into, which is the
 * caller's: package_commit() or package_discard() follow.
 */
int package_begin(const char *root, const PlannedPackage *package, int *ret_fd) _must_check_;

/* Everything was written to fd and verified: durable, then in its place. */
int package_commit(const char *root, const PlannedPackage *package, int fd) _must_check_;
void package_discard(const char *root, const PlannedPackage *package);

/* Removes the images of all versions but those. What can not be removed is tried again the next time. */
int packages_collect(const char *root, const TextList *keep) _must_check_;
