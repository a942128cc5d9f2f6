#include "serve-answer.h"
#include "base/buffer.h"
#include "base/text.h"

#define SECONDS_PER_DAY (USEC_PER_DAY / USEC_PER_SEC)

Answer answer_decide(const Catalogue *catalogue, const RequestApp *app)
{
        const CatalogueChannel *channel;

        if (!catalogue_knows_app(catalogue, app->appid))
                return (Answer) { .app_status = "error-unknownApplication" };
        if (!app->update_check)
                return (Answer) { .app_status = "ok", .known = true };

        channel = catalogue_find_channel(catalogue, app->appid, app->board, app->track);
        if (!channel)
                return (Answer) {
                        .app_status = "error-unknownApplicationOrGroup",
                        .check_status = "error-internal",
                        .known = true,
                };
        if (is_empty(app->version))
                return (Answer) { .app_status = "error-invalidVersion" };
        if (version_compare(channel->version, app->version) <= 0)
                return (Answer) { .app_status = "ok", .check_status = "noupdate", .known = true };

        return (Answer) {
                .app_status = "ok", .check_status = "ok", .offer = channel->payload, .known = true
        };
}

/*
 * Appends the value of an attribute: what has a meaning in XML, and white space that parsers
 * change, as references.
 */
static int append_value(Buffer *buffer, const char *value)
{
        int r = 0;

        for (const char *p = value; *p && r >= 0; p++) {
                size_t n = strcspn(p, "&<>\"'\t\n\r");

                if (n > 0) {
                        r = buffer_append(buffer, p, n);
                        p += n - 1;
                } else
                        r = buffer_appendf(buffer, "&#%d;", *p);
        }

        return r;
}

/* Appends ` name="value"`. */
static int append_attribute(Buffer *buffer, const char *name, const char *value)
{
        int r;

        r = buffer_appendf(buffer, " %s=\"", name);
        if (r < 0)
                return r;
        r = append_value(buffer, value);
        if (r < 0)
                return r;

        return buffer_append_text(buffer, "\"");
}

static int append_package(Buffer *buffer, const CatalogueFile *file, bool required)
{
        int r;

        r = buffer_append_text(buffer, "     <package");
        if (r >= 0)
                r = append_attribute(buffer, "name", file->name);
        if (r >= 0)
                r = append_attribute(buffer, "hash", file->sha1_base64);
        if (r >= 0)
                r = append_attribute(buffer, "hash_sha256", file->sha256);
        if (r >= 0)
                r = buffer_appendf(buffer, " size=\"%llu\" required=\"%s\"/>\n",
                                   (unsigned long long)file->size, required ? "true" : "false");
        return r;
}

/* The payload first; which of the others it needs, a host knows by itself. */
static int append_packages(Buffer *buffer, const CataloguePayload *offer)
{
        const CatalogueFile payload = { offer->name, offer->sha256, offer->sha1_base64,
                                        offer->size };
        int r;

        r = buffer_append_text(buffer, "    <packages>\n");
        if (r >= 0)
                r = append_package(buffer, &payload, true);
        for (size_t i = 0; i < offer->n_packages && r >= 0; i++)
                r = append_package(buffer, &offer->packages[i], false);
        return r < 0 ? r : buffer_append_text(buffer, "    </packages>\n");
}

/* Packages have the same names in every version: the payload's name is a directory for them. */
static int append_codebase(Buffer *buffer, const CataloguePayload *offer, const char *codebase)
{
        _cleanup_free_ char *own = NULL;
        int r;

        r = offer->n_packages > 0 ? text_format(&own, "%s%s/", codebase, offer->name) : 0;
        return r < 0 ? r : append_attribute(buffer, "codebase", own ? own : codebase);
}

static int append_action(Buffer *buffer, const CataloguePayload *offer)
{
        int r;

        r = buffer_append_text(buffer, "    <actions>\n     <action event=\"postinstall\"");
        if (r >= 0)
                r = append_attribute(buffer, "DisplayVersion", offer->version);
        if (r >= 0)
                r = append_attribute(buffer, "sha256", offer->sha256_base64);
        if (r >= 0)
                r = buffer_append_text(buffer,
                                       " needsadmin=\"false\" IsDeltaPayload=\"false\""
                                       " DisablePayloadBackoff=\"true\"/>\n    </actions>\n");
        return r;
}

static int append_offer(Buffer *buffer, const CataloguePayload *offer, const char *codebase)
{
        int r;

        r = buffer_append_text(buffer, "  <updatecheck status=\"ok\">\n   <urls>\n    <url");
        if (r >= 0)
                r = append_codebase(buffer, offer, codebase);
        if (r >= 0)
                r = buffer_append_text(buffer, "/>\n   </urls>\n   <manifest");
        if (r >= 0)
                r = append_attribute(buffer, "version", offer->version);
        if (r >= 0)
                r = buffer_append_text(buffer, ">\n");
        if (r >= 0)
                r = append_packages(buffer, offer);
        if (r >= 0)
                r = append_action(buffer, offer);
        if (r >= 0)
                r = buffer_append_text(buffer, "   </manifest>\n  </updatecheck>\n");
        return r;
}

/*
 * A known app has every element answered; an unknown one gets its status and nothing else, as
 * go-omaha does it.
 */
static int append_children(Buffer *buffer, const RequestApp *app, const Answer *answer,
                           const char *codebase)
{
        int r = 0;

        if (!answer->known)
                return 0;
        if (app->ping)
                r = buffer_append_text(buffer, "  <ping status=\"ok\"/>\n");
        if (r >= 0 && answer->offer)
                r = append_offer(buffer, answer->offer, codebase);
        else if (r >= 0 && answer->check_status)
                r = buffer_appendf(buffer, "  <updatecheck status=\"%s\"/>\n",
                                   answer->check_status);
        for (size_t i = 0; i < app->n_events && r >= 0; i++)
                r = buffer_append_text(buffer, "  <event status=\"ok\"/>\n");

        return r;
}

static int append_app(Buffer *buffer, const RequestApp *app, const Answer *answer,
                      const char *codebase)
{
        int r;

        r = buffer_append_text(buffer, " <app");
        if (r >= 0)
                r = append_attribute(buffer, "appid", app->appid);
        if (r >= 0)
                r = append_attribute(buffer, "status", answer->app_status);
        if (r >= 0)
                r = buffer_append_text(buffer, ">\n");
        if (r >= 0)
                r = append_children(buffer, app, answer, codebase);
        if (r >= 0)
                r = buffer_append_text(buffer, " </app>\n");
        return r;
}

int answer_format(const Request *request, const Answer *answers, const char *codebase, usec_t now,
                  char **ret, size_t *ret_size)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(ANSWER_SIZE_MAX);
        int r;

        r = buffer_appendf(&buffer,
                           "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                           "<response protocol=\"3.0\" server=\"update-serve\">\n"
                           " <daystart elapsed_seconds=\"%llu\"/>\n",
                           (unsigned long long)(now / USEC_PER_SEC % SECONDS_PER_DAY));
        for (size_t i = 0; i < request->n_apps && r >= 0; i++)
                r = append_app(&buffer, &request->apps[i], &answers[i], codebase);
        if (r >= 0)
                r = buffer_append_text(&buffer, "</response>\n");
        if (r < 0)
                return r;

        return buffer_take_text(&buffer, ret, ret_size);
}
