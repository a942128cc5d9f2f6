/*
 * A payload that is an open file: handed to the same sink as one from the network, piece by piece from the event
 * loop. The file may change meanwhile: what counts is what the sink has seen.
 */
#pragma once

#include "fetch.h"

#define FETCH_FILE_CHUNK (256 * KIB)

typedef struct FetchFile FetchFile;

/* fd is borrowed, and must outlive it; size bytes from its start are read. on_end as for fetch_new(). */
int fetch_file_new(sd_event *event, int fd, uint64_t size, const FetchSink *sink, FetchOnEnd on_end,
                   void *userdata, FetchFile **ret) _must_check_;
FetchFile *fetch_file_free(FetchFile *file);
DEFINE_CLEANUP(FetchFile *, fetch_file_free);
