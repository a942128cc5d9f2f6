/*
 * What comes beside the payload of the operating system: system extension images that belong to a version of it. Which
 * ones this host wants, which an answer brings, and a plan for each. The decision is pure.
 */
#pragma once

#include "base/text.h"
#include "config.h"
#include "host.h"
#include "plan.h"

#define PACKAGES_MAX     64  /* of one host */
#define PACKAGE_WORD_MAX 128 /* bytes of a name or a version in a file name */

#define PACKAGE_OEM_DIRECTORY          "/oem/sysext"             /* when there is an /oem … */
#define PACKAGE_OEM_DIRECTORY_FALLBACK "/etc/flatcar/oem-sysext" /* … and when there is none */

/* An image that this host uses. All owned. */
typedef struct PackageWish {
        char *name; /* "oem-qemu", "flatcar-podman": the package without ".gz" */
        char *directory;
        bool needed; /* no version without it */
} PackageWish;

typedef struct PackageWishes {
        PackageWish *items;
        size_t n_items;
} PackageWishes;

/*
 * The image of this host's OEM, and those of the extensions that enabled-sysext.conf names ("-name" takes one back).
 * The one of the OEM is needed when the running version has it, the others always. -errno with *failure filled: nobody
 * knows what is needed when a file that says so can not be read.
 */
int package_wishes_read(const char *root, const Host *host, const Config *config,
                        PackageWishes *ret, UpdateFailure *failure) _must_check_;
void package_wishes_done(PackageWishes *wishes);

/* A package of an answer, and where its image goes. All owned. */
typedef struct PlannedPackage {
        char *name, *directory, *version;
        TextList urls;
        uint64_t size; /* bytes of the package */
        uint8_t sha256[SHA256_SIZE];
} PlannedPackage;

typedef struct PackagePlan {
        PlannedPackage *items;
        size_t n_items;
        uint64_t size; /* bytes of all packages */
        unsigned failures_per_url;
} PackagePlan;

/*
 * Which packages of an answer this host wants. Those that it does not know are none of its business, whatever the
 * server says of them. -EBADMSG with *failure filled when one that it needs is missing, or can not be used.
 */
int packages_plan(const OmahaResponse *response, const PackageWishes *wishes, PackagePlan *ret,
                  UpdateFailure *failure) _must_check_;
void package_plan_done(PackagePlan *plan);

/* Letters, digits and "._+-~", beginning with a letter or digit: fit to be part of a file name. */
bool package_word_is_valid(const char *text);

/* "DIRECTORY/NAME-VERSION.raw", and the name that it has until it is whole. The caller frees them. */
int package_path(const char *directory, const char *name, const char *version,
                 char **ret) _must_check_;
int package_path_temporary(const char *directory, const char *name, const char *version,
                           char **ret) _must_check_;
