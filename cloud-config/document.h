/*
 * User data from the first byte to checked settings: what both validate and apply look at.
 */
#pragma once

#include "cloud-config/settings.h"
#include "cloud-config/user-data.h"

typedef struct Document {
        UserData user_data;
        Settings settings;
        Findings findings; /* closed */
        unsigned n_cloud_configs;
        unsigned n_events; /* see Tree */
        bool skipped;      /* there was something, but nothing of it is ours: a script, Ignition */
} Document;

/* Reads data. Returns 0, also with errors among the findings, or -ENOMEM. */
int document_read(const char *data, size_t size, const Addresses *addresses,
                  Document *ret) _must_check_;

void document_done(Document *document);
