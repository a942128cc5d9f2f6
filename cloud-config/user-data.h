/*
 * What kind of user data is this? A cloud-config, or a container of several parts, or something that is not ours.
 */
#pragma once

#include "cloud-config/finding.h"

/* The document, also when compressed and after decompression. */
#define USER_DATA_MAX (1 * MIB)

/* Parts of a multipart document. */
#define USER_DATA_PARTS_MAX 32

typedef enum PartKind {
        PART_CLOUD_CONFIG,
        PART_EMPTY,
        PART_SCRIPT,   /* skipped, never run */
        PART_IGNITION, /* Ignition's, left alone */
        PART_OTHER,    /* of a kind that is not read; a finding says so where that is an error */
} PartKind;

typedef struct Part {
        PartKind kind;
        unsigned number; /* 0 alone, 1… inside a multipart document */
        char *text;      /* owned; a NUL follows */
        size_t size;
} Part;

typedef struct UserData {
        Part *parts; /* owned */
        size_t n_parts;
} UserData;

/*
 * Takes user data apart: gzip, multipart MIME, the first line. Nothing is ever run.
 * Returns 0 (findings tell what is not ours), or -ENOMEM.
 */
int user_data_parse(const char *data, size_t size, Findings *findings, UserData *ret) _must_check_;

/*
 * What kind of part this is, by its first line; reports those that nobody can read. The text may be changed at
 * its start (a byte order mark goes). Used by the multipart reader too.
 */
int part_classify(Part *part, Findings *findings) _must_check_;

/* Appends a part, taking over its text. */
int user_data_add(UserData *user_data, Part *part) _must_check_;

void part_done(Part *part);
void user_data_done(UserData *user_data);
