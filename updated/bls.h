/*
 * Boot entries after the Boot Loader Specification (UAPI.1): the names of their files with the counters of
 * automatic boot assessment, the few keys that matter to us, and the order in which systemd-boot has them.
 * Bytes in, facts out; nothing here touches a file.
 */
#pragma once

#include "base/macros.h"

#define BLS_ENTRY_MAX   (64 * KIB) /* bytes of a loader/entries/….conf */
#define BLS_COUNTER_MAX 99         /* tries left or done; more is no counter to us */

typedef enum BlsType {
        BLS_TYPE_CONF, /* type 1: loader/entries/NAME.conf */
        BLS_TYPE_UKI,  /* type 2: EFI/Linux/NAME.efi */
} BlsType;

/* A file name: STEM[+LEFT[-DONE]].conf, or .efi. */
typedef struct BlsName {
        BlsType type;
        size_t stem;  /* so many bytes of it are STEM */
        bool counted; /* there is a counter: it is not good, or not yet */
        unsigned left, done;
        char slot; /* 'A' or 'B' for sluice-a…, sluice-b…; 0: an entry of somebody else */
} BlsName;

/* Letter case does not count, as on vfat. -EINVAL: no name of an entry. */
int bls_name_parse(const char *name, BlsName *ret) _must_check_;

/* The name with another counter; counted false: none. The caller frees it. */
int bls_name_print(const char *name, const BlsName *parsed, char **ret) _must_check_;

/* Is it a file of that slot, also one that a power cut left half made: .#sluice-b+3.conf.abcdef? */
bool bls_name_is_of_slot(const char *name, char slot);

typedef struct BlsEntry {
        BlsName name;
        char *file; /* its name */
        char *sort_key, *machine_id, *version,
                *kernel; /* NULL: it does not say; kernel: of type 1 only */
} BlsEntry;

void bls_entry_done(BlsEntry *entry);

/* The keys of a type 1 entry. The text is changed. -EBADMSG: no kernel named. */
int bls_entry_parse(char *text, BlsEntry *entry) _must_check_;

/* < 0: a comes first in the menu of systemd-boot, and is started by itself when nobody chose another one. */
int bls_entry_compare(const BlsEntry *a, const BlsEntry *b);

/* Versions as UAPI.10 orders them. < 0, 0, > 0. */
int bls_version_compare(const char *a, const char *b);

/*
 * An entry for the other slot, made from that of the running one: with its kernel, its version (NULL or "":
 * none), and the words of options changed from one partition to the other. -ENOTUNIQ: no word of the
 * options was changed, so it would start the running slot again. -ESTALE: they name the hash of the running
 * slot's image, which no other one has.
 */
typedef struct BlsChange {
        const char *kernel, *version;
        const char *uuid_from, *uuid_to, *label_from, *label_to;
} BlsChange;

int bls_entry_change(const char *text, const BlsChange *change, char **ret) _must_check_;
