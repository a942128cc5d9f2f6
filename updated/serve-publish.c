#include <fcntl.h>
#include <stdio.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/text.h"
#include "payload/payload.h"
#include "serve-catalogue.h"
#include "serve-log.h"
#include "serve-publish.h"
#include "serve-show.h"
#include "serve-store.h"

#define NAME_DIGITS 16 /* of the SHA-256, in the name that goes into the URL */

/* The versions in a hint end here. */
#define HINT_SIZE_MAX 512

/* One publisher at a time. Returns the fd that holds the lock. */
static int directory_lock(const char *directory)
{
        _cleanup_close_ int fd = -1;
        int r;

        r = RET_ERRNO(mkdir(directory, 0755));
        if (r < 0 && r != -EEXIST)
                return r;
        fd = RET_ERRNO(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (fd < 0)
                return fd;
        r = RET_ERRNO(flock(fd, LOCK_EX));
        if (r < 0)
                return r;

        return TAKE_FD(fd);
}

/* What every host would refuse is refused here: half a file, or something else altogether. */
static int publish_look(const char *path)
{
        _cleanup_(payload_error_done) PayloadError error = {};
        bool is_signed;
        int r;

        r = payload_look(path, &is_signed, &error);
        if (r < 0)
                return log_error_return(r, "publishing %s: %s", path,
                                        error.text ? error.text : strerror(-r));
        if (!is_signed)
                log_warning("%s is not signed: no host takes it before \"payload sign\"", path);
        return 0;
}

static int publish_store(const PublishParameters *p, const char *path, StoredPayload *ret)
{
        int r;

        r = publish_look(path);
        if (r < 0)
                return r;
        r = store_add(p->directory, path, stderr, ret);
        if (r == -EBADMSG)
                return log_error_return(r, "publishing %s: it changed while it was copied", path);
        if (r < 0)
                return log_error_errno(r, "publishing %s: copying it into %s: %m", path,
                                       p->directory);
        return 0;
}

/* Enters what was stored; the same payload under the same version again is fine. */
static int publish_enter(Catalogue *catalogue, const PublishParameters *p,
                         const StoredPayload *stored, const char *now)
{
        _cleanup_free_ char *name = NULL;

        if (text_format(&name, "%s-%.*s.payload", p->version, NAME_DIGITS, stored->sha256) < 0)
                return -ENOMEM;

        return catalogue_add_payload(catalogue, &(CataloguePayload) {
                                                        .appid = p->appid,
                                                        .board = p->board,
                                                        .version = p->version,
                                                        .name = name,
                                                        .sha256 = stored->sha256,
                                                        .sha256_base64 = stored->sha256_base64,
                                                        .sha1_base64 = stored->sha1_base64,
                                                        .published = now,
                                                        .size = stored->size,
                                                });
}

static int publish_add(Catalogue *catalogue, const PublishParameters *p,
                       const StoredPayload *stored, const char *now)
{
        const CataloguePayload *known =
                catalogue_find_payload(catalogue, p->appid, p->board, p->version);
        int r;

        if (known && streq(known->sha256, stored->sha256))
                return 0;
        if (known)
                return log_error_return(-EEXIST,
                                        "publishing %s: version %s is another payload already "
                                        "(sha256 %.*s…); give this one a version of its own",
                                        p->payload, p->version, NAME_DIGITS, known->sha256);

        r = publish_enter(catalogue, p, stored, now);
        if (r < 0)
                return log_error_errno(r, "entering %s into the catalogue: %m", p->payload);
        return 0;
}

static bool catalogue_needs(const Catalogue *catalogue, const char *sha256)
{
        for (size_t i = 0; i < catalogue->n_payloads; i++) {
                const CataloguePayload *payload = &catalogue->payloads[i];

                if (streq(payload->sha256, sha256))
                        return true;
                for (size_t k = 0; k < payload->n_packages; k++)
                        if (streq(payload->packages[k].sha256, sha256))
                                return true;
        }

        return false;
}

/* Stores the payload and enters it; what is refused does not stay in the store. */
static int publish_receive(Catalogue *catalogue, const PublishParameters *p, const char *now)
{
        _cleanup_(stored_payload_done) StoredPayload stored = {};
        int r;

        r = publish_store(p, p->payload, &stored);
        if (r < 0)
                return r;
        r = publish_add(catalogue, p, &stored, now);
        if (r < 0 && !catalogue_needs(catalogue, stored.sha256))
                (void)store_remove(p->directory, stored.sha256); /* only room is lost */
        return r;
}

static int package_enter(Catalogue *catalogue, const PublishParameters *p, const char *name,
                         const StoredPayload *stored)
{
        const CataloguePayload *payload =
                catalogue_find_payload(catalogue, p->appid, p->board, p->version);
        const CatalogueFile *known = catalogue_find_package(payload, name);
        int r;

        if (known && streq(known->sha256, stored->sha256))
                return 0;
        if (known)
                return log_error_return(-EEXIST,
                                        "publishing package %s: version %s has another one of this "
                                        "name already (sha256 %.*s…); give it a version of its own",
                                        name, p->version, NAME_DIGITS, known->sha256);

        r = catalogue_add_package(
                catalogue, payload,
                &(CatalogueFile) { name, stored->sha256, stored->sha1_base64, stored->size });
        if (r < 0)
                return log_error_errno(r, "entering package %s into the catalogue: %m", name);
        return 0;
}

/* "NAME=PATH": stores and enters one package; what is refused does not stay in the store. */
static int package_receive(Catalogue *catalogue, const PublishParameters *p, const char *text)
{
        _cleanup_(stored_payload_done) StoredPayload stored = {};
        const char *path = strchr(text, '=') + 1;
        _cleanup_free_ char *name = strndup(text, (size_t)(path - text) - 1);
        int r;

        if (!name)
                return log_error_errno(-ENOMEM, "publishing %s: %m", text);
        r = publish_store(p, path, &stored);
        if (r < 0)
                return r;
        r = package_enter(catalogue, p, name, &stored);
        if (r < 0 && !catalogue_needs(catalogue, stored.sha256))
                (void)store_remove(p->directory, stored.sha256); /* only room is lost */
        return r;
}

/* Which versions there are, for the hint. */
static int versions_list(const Catalogue *catalogue, const PublishParameters *p, char **ret)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(HINT_SIZE_MAX);
        int r;

        for (size_t i = 0; i < catalogue->n_payloads; i++) {
                const CataloguePayload *payload = &catalogue->payloads[i];

                if (strcasecmp(payload->appid, p->appid) != 0 || !streq(payload->board, p->board))
                        continue;
                r = buffer_appendf(&buffer, "%s%s", buffer.size > 0 ? ", " : "", payload->version);
                if (r < 0 && r != -EFBIG)
                        return r;
        }

        return buffer_take_text(&buffer, ret, NULL);
}

static int publish_refuse_unknown(const Catalogue *catalogue, const PublishParameters *p)
{
        _cleanup_free_ char *versions = NULL;
        int r;

        r = versions_list(catalogue, p, &versions);
        if (r < 0)
                return log_error_errno(r, "promoting version %s: %m", p->version);

        return log_error_return(-ENOENT,
                                "promoting version %s: it was never published%s%s; "
                                "name its PAYLOAD to publish it now",
                                p->version, *versions ? "; known: " : "", versions);
}

/* Leads the channel to the version and says what changed. */
static int publish_lead(Catalogue *catalogue, const PublishParameters *p, const char *now)
{
        const CatalogueChannel *old =
                catalogue_find_channel(catalogue, p->appid, p->board, p->channel);
        bool backwards = old && version_compare(old->version, p->version) > 0;
        int r;

        if (backwards)
                log_notice("channel %s had %s, which is newer: hosts that have it stay with it",
                           p->channel, old->version);
        r = catalogue_set_channel(catalogue, &(CatalogueChannel) {
                                                     .appid = p->appid,
                                                     .board = p->board,
                                                     .name = p->channel,
                                                     .version = p->version,
                                                     .published = now,
                                             });
        if (r < 0)
                return r;

        return catalogue_write(p->directory, catalogue);
}

static int publish_locked(const PublishParameters *p, Catalogue *catalogue)
{
        const CataloguePayload *payload;
        char now[CLIENT_LOG_TIME_MAX], size[BYTES_MAX];
        int r;

        client_log_time(now_realtime(), now);
        if (p->payload) {
                r = publish_receive(catalogue, p, now);
                if (r < 0)
                        return r;
        } else if (!catalogue_find_payload(catalogue, p->appid, p->board, p->version))
                return publish_refuse_unknown(catalogue, p);

        for (size_t i = 0; i < p->packages->n_items; i++) {
                r = package_receive(catalogue, p, p->packages->items[i]);
                if (r < 0)
                        return r;
        }
        r = publish_lead(catalogue, p, now);
        if (r < 0)
                return log_error_errno(r, "writing %s/" CATALOGUE_FILE ": %m", p->directory);

        if (p->json)
                return show_channel_json(
                        catalogue_find_channel(catalogue, p->appid, p->board, p->channel));
        payload = catalogue_find_payload(catalogue, p->appid, p->board, p->version);
        printf("%s: %s, %s, sha256 %s\n", p->channel, payload->version,
               bytes_format(payload->size, size), payload->sha256);
        for (size_t i = 0; i < payload->n_packages; i++)
                printf("  with %s, %s, sha256 %s\n", payload->packages[i].name,
                       bytes_format(payload->packages[i].size, size), payload->packages[i].sha256);
        return 0;
}

int publish(const PublishParameters *p)
{
        _cleanup_(catalogue_done) Catalogue catalogue = {};
        _cleanup_free_ char *why = NULL;
        _cleanup_close_ int lock = -1;
        int r;

        lock = directory_lock(p->directory);
        if (lock < 0)
                return log_error_errno(lock, "opening %s: %m", p->directory);

        r = catalogue_read(p->directory, &catalogue, &why);
        if (r < 0 && why)
                return log_error_return(r, "reading %s/" CATALOGUE_FILE ": %s", p->directory, why);
        if (r < 0)
                return log_error_errno(r, "reading %s/" CATALOGUE_FILE ": %m", p->directory);

        return publish_locked(p, &catalogue);
}
