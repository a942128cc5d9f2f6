/*
 * The verb publish: a payload into the store and the catalogue, a channel to a payload.
 */
#pragma once

#include "base/text.h"

typedef struct PublishParameters {
        const char *directory;
        const char *channel;
        const char *version;
        const char *board; /* "": every board */
        const char *appid;
        const char *payload;      /* path, or NULL: a version that is in the catalogue */
        const TextList *packages; /* "NAME=PATH" each, beside it */
        bool json;                /* say it as show_channels() does, one channel */
} PublishParameters;

/* Does it and says so on stdout. What failed was logged. */
int publish(const PublishParameters *parameters) _must_check_;
