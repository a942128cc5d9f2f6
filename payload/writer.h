/*
 * Makes full payloads: images are cut into pieces, compressed in parallel, and put one behind
 * the other in a data file; then the manifest is known, and seal.h puts header, manifest, data
 * and signatures together. The same images and parameters always give the same bytes.
 */
#pragma once

#include "base/buffer.h"
#include "payload/compress.h"
#include "payload/keys.h"
#include "payload/manifest.h"

typedef struct WriterParameters {
        uint64_t version; /* of the format */
        int data_fd;      /* borrowed, an empty file for the data */
        Compression compression;
        unsigned level;
        unsigned jobs; /* threads */
        const char
                *image_version; /* version 2: of the images, or NULL; borrowed, as the next one */
        const char *minimum_engine; /* version 2: or NULL */
        uint64_t timestamp;         /* version 2: seconds since 1970, or 0 */
        uint64_t expires;           /* the same */
        void (*on_progress)(void *userdata, uint64_t done); /* bytes of images; or NULL */
        void *userdata;
} WriterParameters;

typedef struct PayloadWriter PayloadWriter;

/* Writes nothing yet. What the parameters borrow has to outlive it. -ENOMEM, or -errno of starting the threads. */
int writer_new(const WriterParameters *parameters, PayloadWriter **ret) _must_check_;
PayloadWriter *writer_free(PayloadWriter *writer);
DEFINE_CLEANUP(PayloadWriter *, writer_free);

/*
 * Adds an image, from the current offset of fd to its end. The slot comes first. It is padded with
 * zeros to a multiple of padding bytes (1: not at all). -ENODATA for an empty one.
 */
int writer_add_image(PayloadWriter *writer, PartitionRole role, int fd,
                     uint64_t padding) _must_check_;

/* Appends the manifest, unsigned. -EFBIG when the data is too large for the format. */
int writer_manifest(const PayloadWriter *writer, Buffer *buffer) _must_check_;
uint64_t writer_data_size(const PayloadWriter *writer);
