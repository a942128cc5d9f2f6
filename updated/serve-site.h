/*
 * What the server knows and answers, without sockets: the directory, its catalogue, its log.
 */
#pragma once

#include <sys/stat.h>

#include "base/http-reply.h"
#include "serve-catalogue.h"

#define SITE_PAYLOAD_PATH "/payloads/"

typedef struct Site {
        const char *directory; /* borrowed */
        const char
                *url_base; /* borrowed; in front of /payloads/; NULL: taken from the Host header */
        Catalogue catalogue;
        struct stat catalogue_status; /* of the file it was read from */
        bool log_broken;              /* said so already */
} Site;

/* Reads the catalogue again when another file has taken its place. A failure was logged. */
int site_refresh(Site *site) _must_check_;

/* Answers an Omaha request, and notes in the log what it said. host is the Host header, or NULL. */
int site_answer(Site *site, const char *host, const char *body, size_t size,
                Reply *reply) _must_check_;

/*
 * Opens the payload of that name, or the package "PAYLOAD/PACKAGE" beside it. -ENOENT: no such name; -ESTALE: its file is missing or has
 * another size, which was logged. The texts in *ret are the catalogue's. Returns an fd or -errno.
 */
int site_open(Site *site, const char *name, CatalogueFile *ret) _must_check_;

void site_done(Site *site);
