/*
 * The boot loader's part of the contract, without libfdisk, so that it checks what the updater wrote: which slot
 * starts next. The rule is that of ChromeOS and Flatcar (GRUB's gptprio.next): among the partitions of the USR
 * type the one of the highest priority that is successful or has tries left; a try is used up before it is
 * started. The primary table counts when it is valid, else the backup.
 */
#pragma once

#include "base/macros.h"

typedef struct BootChoice {
        char *label;     /* "USR-A" */
        char *part_uuid; /* lower case */
        uint64_t offset; /* bytes from the start of the disk */
        uint64_t size;   /* bytes */
} BootChoice;

void boot_choice_done(BootChoice *choice);

/* A valid copy of the table of a disk in memory. */
typedef struct BootTable {
        uint8_t *disk; /* borrowed */
        uint64_t size;
        uint64_t sector_size;
        uint8_t *header, *entries; /* inside of disk */
        uint32_t n_entries, entry_size;
} BootTable;

/* One entry of the USR type. */
typedef struct BootSlot {
        uint8_t *entry;
        uint64_t offset, size; /* bytes */
        unsigned priority, tries;
        bool successful;
} BootSlot;

/* -ENOMEDIUM: neither copy is valid. */
int boot_table_open(uint8_t *disk, uint64_t size, BootTable *ret) _must_check_;

/* Are both copies valid, and say the same? */
bool boot_table_is_twofold(const BootTable *table);

/* The next slot from *index on; false behind the last. */
bool boot_table_next_slot(const BootTable *table, uint32_t *index, BootSlot *ret);

bool boot_slot_is_selectable(const BootSlot *slot);

/* The rule alone. -ENODEV: no slot can be started. */
int boot_table_choose(const BootTable *table, BootSlot *ret) _must_check_;

/* Chooses, and writes the used-up try to the disk, to every copy that is valid. */
int boot_loader_choose(const char *disk, BootChoice *ret) _must_check_;
