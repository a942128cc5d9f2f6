#include <stdio.h>

#include "base/buffer.h"
#include "base/text.h"
#include "omaha-request.h"
#include "version.h"

#define REQUEST_MAX (64 * KIB) /* what the smallest of the servers accepts */

/* The servers of CoreOS and Flatcar know no other operating system. */
#define OS_VERSION  "Chateau"
#define OS_PLATFORM "CoreOS"

#define ENGINE "update_engine-" SLUICE_VERSION

/* The code point at p (valid UTF-8, not ASCII), and how many bytes it has. */
static uint32_t utf8_decode(const uint8_t *p, size_t *ret_size)
{
        size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
        uint32_t code = p[0] & (0xffU >> (n + 1));

        for (size_t i = 1; i < n; i++)
                code = code << 6 | (p[i] & 0x3fU);

        *ret_size = n;
        return code;
}

static const char *escape_of(char c)
{
        static const struct {
                char c;
                const char *escape;
        } escapes[] = {
                { '&', "&amp;" },  { '<', "&lt;" },   { '>', "&gt;" },  { '"', "&quot;" },
                { '\r', "&#13;" }, { '\n', "&#10;" }, { '\t', "&#9;" },
        };

        for (size_t i = 0; i < ELEMENTSOF(escapes); i++)
                if (escapes[i].c == c)
                        return escapes[i].escape;
        return NULL;
}

/* Escapes a value; control characters, which XML has no way to write, are left out. -EBADMSG: not UTF-8. */
static int append_escaped(Buffer *xml, const char *text)
{
        if (!text_is_utf8(text, strlen(text)))
                return -EBADMSG;

        for (const uint8_t *p = (const uint8_t *)text; *p;) {
                const char *escape = escape_of((char)*p);
                size_t n = 1;
                int r;

                if (escape)
                        r = buffer_append_text(xml, escape);
                else if (*p >= 0x80)
                        r = buffer_appendf(xml, "&#x%X;", utf8_decode(p, &n));
                else
                        r = *p >= 0x20 && *p != 0x7f ? buffer_append(xml, p, 1) : 0;
                if (r < 0)
                        return r;
                p += n;
        }

        return 0;
}

static int append_attribute(Buffer *xml, const char *name, const char *open, const char *value,
                            const char *close)
{
        int r;

        r = buffer_appendf(xml, " %s=\"%s", name, open);
        if (r >= 0)
                r = append_escaped(xml, value);
        if (r >= 0)
                r = buffer_appendf(xml, "%s\"", close);
        return r;
}

static int append_head(Buffer *xml, const OmahaRequest *request)
{
        _cleanup_free_ char *sp = NULL;
        int r;

        if (text_format(&sp, "%s_%s", request->host->version, request->host->machine) < 0)
                return -ENOMEM;

        r = buffer_appendf(xml,
                           "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                           "<request protocol=\"3.0\" version=\"" ENGINE
                           "\" updaterversion=\"" ENGINE
                           "\" installsource=\"%s\" ismachine=\"1\">\n"
                           "    <os version=\"" OS_VERSION "\" platform=\"" OS_PLATFORM "\"",
                           request->on_demand ? "ondemandupdate" : "scheduler");
        if (r >= 0)
                r = append_attribute(xml, "sp", "", sp, "");
        if (r >= 0)
                r = buffer_append_text(xml, "></os>\n");
        return r;
}

static int append_app(Buffer *xml, const OmahaRequest *request)
{
        const Host *host = request->host;
        const struct {
                const char *name, *open, *value, *close;
        } attributes[] = {
                { "appid", "", host->app_id, "" },
                { "version", "", host->version, "" },
                { "track", "", request->config->group, "" },
                { "bootid", "{", host->boot_id, "}" },
                { "oem", "", host->oem, "" },
                { "oemversion", "", host->oem_version, "" },
                { "alephversion", "", request->aleph_version, "" },
                { "machineid", "", host->machine_id, "" },
                { "machinealias", "", request->config->machine_alias, "" },
                { "lang", "", "en-US", "" },
                { "board", "", host->board, "" },
                { "hardware_class", "", "", "" },
                { "delta_okay", "", "false", "" },
        };
        int r;

        r = buffer_append_text(xml, "    <app");
        for (size_t i = 0; i < ELEMENTSOF(attributes) && r >= 0; i++)
                r = append_attribute(xml, attributes[i].name, attributes[i].open,
                                     attributes[i].value, attributes[i].close);
        if (r >= 0)
                r = buffer_append_text(xml, " >\n");
        return r;
}

static int append_event(Buffer *xml, const OmahaEvent *event)
{
        int r;

        r = buffer_appendf(xml, "        <event eventtype=\"%d\" eventresult=\"%d\"",
                           (int)event->type, (int)event->result);
        if (r >= 0 && event->result == OMAHA_RESULT_SUCCESS_REBOOT)
                r = append_attribute(xml, "previousversion", "", event->previous_version, "");
        if (r >= 0
            && (event->result == OMAHA_RESULT_ERROR || event->result == OMAHA_RESULT_DEFERRED))
                r = buffer_appendf(xml, " errorcode=\"%d\"", (int32_t)event->error);
        if (r >= 0)
                r = buffer_append_text(xml, "></event>\n");
        return r;
}

int omaha_request_build(const OmahaRequest *request, char **ret)
{
        _cleanup_(buffer_done) Buffer xml = BUFFER_MAX(REQUEST_MAX);
        int r;

        r = append_head(&xml, request);
        if (r >= 0)
                r = append_app(&xml, request);
        if (r >= 0 && request->ping)
                r = buffer_append_text(&xml, "        <ping active=\"1\"></ping>\n");
        if (r >= 0 && request->check)
                r = buffer_append_text(&xml, "        <updatecheck></updatecheck>\n");
        if (r >= 0 && request->event)
                r = append_event(&xml, request->event);
        if (r >= 0)
                r = buffer_append_text(&xml, "    </app>\n</request>\n");
        if (r < 0)
                return r;

        return buffer_take_text(&xml, ret, NULL);
}
