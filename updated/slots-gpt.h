/*
 * The GPT of a disk, or of a disk image file, through libfdisk: read whole, attributes written back. The
 * ChromeOS attribute bits (priority, tries, successful) that boot loaders go by are named here.
 */
#pragma once

#include "base/macros.h"

#define GPT_PARTITIONS_MAX 128

#define GPT_PRIORITY_MAX 15
#define GPT_TRIES_MAX    15

typedef struct GptPartition {
        size_t number; /* from 0, as libfdisk counts */
        char *label, *uuid, *type;
        uint64_t offset, size; /* bytes */
        uint64_t attributes;   /* all 64 bits */
        const char *slot; /* "A" or "B" (static) where the settings say so; NULL: the label does */
} GptPartition;

typedef struct Gpt {
        char *path;
        bool is_file;      /* a disk image; else a block device */
        bool wants_repair; /* one copy is damaged or out of date: gpt_write_attributes() mends it */
        GptPartition *partitions;
        size_t n_partitions;
} Gpt;

/*
 * -ENOMEDIUM: there is no GPT on it; -E2BIG: more than GPT_PARTITIONS_MAX partitions; -EOPNOTSUPP: its entries lie
 * in an unusual place.
 */
int gpt_read(const char *path, Gpt *ret) _must_check_;
void gpt_done(Gpt *gpt);

/*
 * Mends a damaged copy of the table from the other, then writes the attributes in gpt that differ from the
 * disk's to both, durable on return. At every moment one copy is whole. A table that changed in another way
 * since gpt_read() is -ESTALE, and nothing is written.
 */
int gpt_write_attributes(const Gpt *gpt) _must_check_;

/* The device node of a partition of a block device; the caller frees it. */
int gpt_partition_path(const Gpt *gpt, size_t number, char **ret) _must_check_;

unsigned gpt_priority(uint64_t attributes);
unsigned gpt_tries(uint64_t attributes);
bool gpt_successful(uint64_t attributes);

/* The same attributes with other boot bits; the numbers are at most 15. */
uint64_t gpt_with_priority(uint64_t attributes, unsigned priority);
uint64_t gpt_with_tries(uint64_t attributes, unsigned tries, bool successful);
