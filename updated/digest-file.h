/*
 * The SHA-256 of a file, a piece at a time beside the event loop: it may take its time, and nobody who asks
 * on the bus waits for it. From the medium, where its pages can be dropped from the cache.
 */
#pragma once

#include <systemd/sd-event.h>

#include "payload/payload.h"

typedef struct DigestFile DigestFile;

/* error < 0: it can not be read to its end, and sha256 means nothing. The DigestFile may be freed in it. */
typedef void (*DigestFileEnd)(int error, const uint8_t sha256[static SHA256_SIZE], void *userdata);

/* Of an open file, from its first byte to its last; fd is the caller's, and must stay open until the end. */
int digest_file_new(sd_event *event, int fd, DigestFileEnd on_end, void *userdata,
                    DigestFile **ret) _must_check_;

/* Also before its end: then nobody is called. */
DigestFile *digest_file_free(DigestFile *digest);
DEFINE_CLEANUP(DigestFile *, digest_file_free);
