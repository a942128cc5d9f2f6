/*
 * A payload in a file that can be read at any place: header and manifest at once, the rest on
 * demand.
 */
#pragma once

#include "base/buffer.h"
#include "payload/header.h"
#include "payload/manifest.h"
#include "payload/signature-list.h"

typedef struct PayloadFile {
        int fd; /* owned */
        uint64_t size;
        PayloadHeader header;
        Buffer manifest_data; /* owned */
        Manifest *manifest;   /* owned */
        uint64_t data_offset; /* of the data in the file */
} PayloadFile;

#define PAYLOAD_FILE_NONE \
        (PayloadFile)     \
        {                 \
                .fd = -1  \
        }

/*
 * Opens the file, parses header and manifest, compares the size of the file with what they say.
 */
int payload_file_open(const char *path, PayloadFile *ret, PayloadError *error) _must_check_;
void payload_file_done(PayloadFile *file);

/* The signatures at its end; none for an unsigned payload. */
int payload_file_signatures(const PayloadFile *file, SignatureList *ret,
                            PayloadError *error) _must_check_;

/* Those of header and manifest; none in version 1. */
int payload_file_metadata_signatures(const PayloadFile *file, SignatureList *ret,
                                     PayloadError *error) _must_check_;

/* What the two are made over: reads the whole file. */
int payload_file_hash(const PayloadFile *file, uint8_t ret_metadata[static SHA256_SIZE],
                      uint8_t ret_sha256[static SHA256_SIZE]) _must_check_;
