#include <stdio.h>

#include "base/http-address.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "serve-answer.h"
#include "serve-log.h"
#include "serve-site.h"
#include "serve-store.h"

static bool status_is_same(const struct stat *a, const struct stat *b)
{
        return a->st_ino == b->st_ino && a->st_size == b->st_size
               && a->st_mtim.tv_sec == b->st_mtim.tv_sec
               && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int site_refresh(Site *site)
{
        _cleanup_free_ char *path = NULL, *why = NULL;
        struct stat status = {};
        Catalogue catalogue;
        int r;

        r = root_join(site->directory, CATALOGUE_FILE, &path);
        if (r < 0)
                return r;
        if (stat(path, &status) < 0 && errno != ENOENT)
                return log_error_errno(errno, "looking at %s: %m", path);
        if (site->catalogue.root && status_is_same(&status, &site->catalogue_status))
                return 0;

        r = catalogue_read(site->directory, &catalogue, &why);
        if (r < 0 && why)
                return log_error_return(r, "reading %s: %s", path, why);
        if (r < 0)
                return log_error_errno(r, "reading %s: %m", path);

        catalogue_done(&site->catalogue);
        site->catalogue = catalogue;
        site->catalogue_status = status;
        return 0;
}

/* The URL in front of the names of payloads. -EBADMSG: the Host header is none. */
static int codebase_make(const Site *site, const char *host, char **ret)
{
        const char *base = site->url_base;

        if (!base && (!host || !address_host_is_valid(host)))
                return -EBADMSG;

        if (base) {
                size_t length = strlen(base);

                while (length > 0 && base[length - 1] == '/')
                        length--;
                return text_format(ret, "%.*s" SITE_PAYLOAD_PATH, (int)length, base);
        }

        return text_format(ret, "http://%s" SITE_PAYLOAD_PATH, host);
}

/* A full disk must not keep hosts from their updates; it is said once, not for every client. */
static void site_note(Site *site, const Request *request, const Answer *answers)
{
        int r;

        r = client_log_append(site->directory, request, answers, now_realtime());
        if (r < 0 && !site->log_broken)
                log_warning_errno(r, "writing %s/" CLIENT_LOG_FILE ": %m; going on without it",
                                  site->directory);
        site->log_broken = r < 0;
}

static int site_answer_request(Site *site, const Request *request, const char *codebase,
                               Reply *reply)
{
        Answer answers[REQUEST_APPS_MAX];
        int r;

        for (size_t i = 0; i < request->n_apps; i++)
                answers[i] = answer_decide(&site->catalogue, &request->apps[i]);
        r = answer_format(request, answers, codebase, now_realtime(), &reply->body, &reply->size);
        if (r < 0)
                return r;

        site_note(site, request, answers);
        reply->status = MHD_HTTP_OK;
        reply->type = "text/xml; charset=utf-8";
        return 0;
}

int site_answer(Site *site, const char *host, const char *body, size_t size, Reply *reply)
{
        _cleanup_(request_done) Request request = {};
        _cleanup_free_ char *codebase = NULL;
        const char *why = NULL;
        int r;

        r = request_parse(body, size, &request, &why);
        if (r == -EBADMSG)
                return reply_text(reply, MHD_HTTP_BAD_REQUEST, "This is no Omaha request: %s.",
                                  why);
        if (r < 0)
                return r;

        r = codebase_make(site, host, &codebase);
        if (r == -EBADMSG)
                return reply_text(reply, MHD_HTTP_BAD_REQUEST,
                                  "The Host header is missing or malformed.");
        if (r < 0)
                return r;

        if (site_refresh(site) < 0)
                return reply_text(reply, MHD_HTTP_INTERNAL_SERVER_ERROR,
                                  "The catalogue can not be read; the server's log says why.");
        return site_answer_request(site, &request, codebase, reply);
}

/* "PAYLOAD", and "PAYLOAD/PACKAGE" where the first may be the second as well: all are below one codebase. */
static int site_find(const Site *site, const char *name, CatalogueFile *ret)
{
        const char *slash = strchr(name, '/'), *last = slash ? slash + 1 : name;
        _cleanup_free_ char *first = strndup(name, slash ? (size_t)(slash - name) : strlen(name));
        const CataloguePayload *payload;
        const CatalogueFile *package;

        if (!first)
                return -ENOMEM;
        payload = catalogue_find_name(&site->catalogue, first);
        package = payload ? catalogue_find_package(payload, last) : NULL;
        if (package)
                *ret = *package;
        else if (payload && streq(payload->name, last))
                *ret = (CatalogueFile) { payload->name, payload->sha256, payload->sha1_base64,
                                         payload->size };
        else
                return -ENOENT;
        return 0;
}

int site_open(Site *site, const char *name, CatalogueFile *ret)
{
        _cleanup_close_ int fd = -1;
        CatalogueFile file = {};
        struct stat status;
        int r;

        r = site_refresh(site);
        if (r >= 0)
                r = site_find(site, name, &file);
        if (r < 0)
                return r;

        fd = store_open(site->directory, file.sha256);
        if (fd < 0) {
                log_error_errno(fd, "opening %s/" STORE_DIRECTORY "/%s: %m", site->directory,
                                file.sha256);
                return -ESTALE;
        }
        r = RET_ERRNO(fstat(fd, &status));
        if (r < 0)
                return r;
        if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size != file.size)
                return log_error_return(-ESTALE,
                                        "%s/" STORE_DIRECTORY "/%s is not what was published: "
                                        "%lld bytes instead of %llu; publish it again",
                                        site->directory, file.sha256, (long long)status.st_size,
                                        (unsigned long long)file.size);

        *ret = file;
        return TAKE_FD(fd);
}

void site_done(Site *site)
{
        catalogue_done(&site->catalogue);
}
