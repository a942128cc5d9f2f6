/*
 * What update-serve has to offer: payloads, and which of them each channel leads to. Kept in
 * DIR/catalogue.json, which is replaced whole; the payloads themselves lie in DIR/payloads under
 * the hexadecimal SHA-256 of their bytes.
 */
#pragma once

#include <jansson.h>

#include "base/macros.h"

#define CATALOGUE_FILE         "catalogue.json"
#define CATALOGUE_FORMAT       1
#define CATALOGUE_SIZE_MAX     (4 * MIB)
#define CATALOGUE_WORD_MAX     64 /* bytes of a version, channel, board or app id */
#define CATALOGUE_ITEMS_MAX    4096
#define CATALOGUE_PACKAGES_MAX 64                                       /* beside one payload */
#define CATALOGUE_APPID        "{e96281a6-d1af-4bde-9a0a-97b76e56dc57}" /* CoreOS and Flatcar */

/* A file of the store. */
typedef struct CatalogueFile {
        const char *name; /* what it is called in its URL */
        const char *sha256;
        const char *sha1_base64;
        uint64_t size;
} CatalogueFile;

typedef struct CataloguePayload {
        const char *appid;
        const char *board; /* "": for every board */
        const char *version;
        const char *name; /* what it is called in its URL */
        const char *sha256;
        const char *sha256_base64;
        const char *sha1_base64;
        const char *published; /* RFC 3339 */
        uint64_t size;
        CatalogueFile *packages; /* beside it: images of extensions and of the OEM */
        size_t n_packages;
} CataloguePayload;

typedef struct CatalogueChannel {
        const char *appid;
        const char *board;
        const char *name;
        const char *version;
        const char *published;
        const CataloguePayload *payload; /* which these name; it is always there */
} CatalogueChannel;

typedef struct Catalogue {
        json_t *root; /* owns every text below */
        CataloguePayload *payloads;
        size_t n_payloads;
        CatalogueChannel *channels;
        size_t n_channels;
} Catalogue;

/*
 * May text be a version, channel or board: letters, digits and ._+-, beginning with a letter or
 * digit?
 */
bool catalogue_word_is_valid(const char *text);

/* The same with braces allowed. */
bool catalogue_appid_is_valid(const char *text);

/*
 * Parses and checks a catalogue. -EBADMSG: ret_why, which the caller frees, says what is wrong with
 * it; NULL after any other error.
 */
int catalogue_parse(const char *text, size_t size, Catalogue *ret, char **ret_why) _must_check_;

/* Reads DIR/catalogue.json; when there is none the catalogue is empty. ret_why as above. */
int catalogue_read(const char *directory, Catalogue *ret, char **ret_why) _must_check_;

/* Replaces DIR/catalogue.json durably. */
int catalogue_write(const char *directory, const Catalogue *catalogue) _must_check_;

/* All of these return NULL when there is none. */
const CataloguePayload *catalogue_find_payload(const Catalogue *catalogue, const char *appid,
                                               const char *board, const char *version);
const CataloguePayload *catalogue_find_name(const Catalogue *catalogue, const char *name);
const CatalogueFile *catalogue_find_package(const CataloguePayload *payload, const char *name);

/* The channel of exactly that board, or else the one for every board. */
const CatalogueChannel *catalogue_find_channel(const Catalogue *catalogue, const char *appid,
                                               const char *board, const char *name);
bool catalogue_knows_app(const Catalogue *catalogue, const char *appid);

/* May text be the name of a package in a URL: as a version, and longer? */
bool catalogue_name_is_valid(const char *text);

/* Adds a payload (its texts are copied), without packages. Pointers into the catalogue are void afterwards. */
int catalogue_add_payload(Catalogue *catalogue, const CataloguePayload *payload) _must_check_;

/* Adds a package to payload, which is one of the catalogue's. The same as above. */
int catalogue_add_package(Catalogue *catalogue, const CataloguePayload *payload,
                          const CatalogueFile *package) _must_check_;

/*
 * Leads a channel to a payload that is in the catalogue; channel->payload is not looked at. The
 * same is void.
 */
int catalogue_set_channel(Catalogue *catalogue, const CatalogueChannel *channel) _must_check_;

void catalogue_done(Catalogue *catalogue);
