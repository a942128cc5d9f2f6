/*
 * One compressed piece of memory, read as a stream of what it unpacks to. Exactly one
 * compressed stream is accepted, from the first to the last byte of the piece; memory is
 * bounded by the limits below.
 */
#pragma once

#include "payload/payload.h"

/* One piece of decompressed data on its way to the target: large enough for large writes. */
#define DECODER_CHUNK (1 * MIB)

#define XZ_MEMORY_MAX       (40 * MIB) /* a dictionary of 32 MiB */
#define ZSTD_WINDOW_LOG_MAX 23         /* 8 MiB: what levels up to 19 use */

typedef enum Codec {
        CODEC_NONE,
        CODEC_BZIP2,
        CODEC_XZ,
        CODEC_ZSTD,
        CODEC_BROTLI,
        _CODEC_MAX,
} Codec;

typedef struct Decoder Decoder;

/*
 * data is borrowed and stays until the decoder is freed. -EBADMSG: it can not be such a stream;
 * -ENOMEM.
 */
int decoder_new(Codec codec, const void *data, size_t size, Decoder **ret) _must_check_;
Decoder *decoder_free(Decoder *decoder);
DEFINE_CLEANUP(Decoder *, decoder_free);

/*
 * Unpacks up to size bytes. *ret_size is less than size only at the end. -EBADMSG when the data
 * is damaged, ends early, or goes on behind its end; -ENOMEM.
 */
int decoder_read(Decoder *decoder, void *buffer, size_t size, size_t *ret_size) _must_check_;
