#include <expat.h>

#include "base/text.h"
#include "serve-request.h"

typedef struct Parser {
        XML_Parser xml;
        Request request;
        unsigned depth;   /* open elements */
        unsigned matched; /* the outermost so many of them are request, app */
        int error;
        const char *why;
} Parser;

static void parser_refuse(Parser *parser, int error, const char *why)
{
        if (parser->error < 0)
                return;
        parser->error = error;
        parser->why = why;
        (void)XML_StopParser(parser->xml, XML_FALSE); /* fails only when it is stopped already */
}

/* A copy of the attribute, "" without it; NULL after a refusal. */
static char *attribute_take(Parser *parser, const XML_Char **attributes, const char *name)
{
        const char *value = "";
        char *copy;

        for (; *attributes; attributes += 2)
                if (streq(attributes[0], name))
                        value = attributes[1];
        if (strlen(value) > REQUEST_ATTRIBUTE_MAX) {
                parser_refuse(parser, -EBADMSG, "an attribute is too long");
                return NULL;
        }

        copy = strdup(value);
        if (!copy)
                parser_refuse(parser, -ENOMEM, "out of memory");
        return copy;
}

/* Codes are at most 32 bits; one that is not there is 0. */
static int64_t attribute_number(Parser *parser, const XML_Char **attributes, const char *name)
{
        _cleanup_free_ char *text = attribute_take(parser, attributes, name);
        bool negative;
        uint64_t number;

        if (is_empty(text))
                return 0;

        negative = *text == '-';
        if (text_to_u64(text + (negative ? 1 : 0), UINT32_MAX, &number) < 0) {
                parser_refuse(parser, -EBADMSG, "a code of an event is no number");
                return 0;
        }
        return negative ? -(int64_t)number : (int64_t)number;
}

static void parser_root(Parser *parser, const char *name, const XML_Char **attributes)
{
        _cleanup_free_ char *protocol = NULL;

        if (!streq(name, "request")) {
                parser_refuse(parser, -EBADMSG, "the root element is not request");
                return;
        }

        protocol = attribute_take(parser, attributes, "protocol");
        if (protocol && !streq(protocol, "3.0"))
                parser_refuse(parser, -EBADMSG, "the protocol is not 3.0");
}

static void parser_app(Parser *parser, const XML_Char **attributes)
{
        Request *request = &parser->request;
        RequestApp *app;

        if (request->n_apps == REQUEST_APPS_MAX) {
                parser_refuse(parser, -EBADMSG, "too many apps");
                return;
        }
        if (!request->apps)
                request->apps = calloc(REQUEST_APPS_MAX, sizeof(RequestApp));
        if (!request->apps) {
                parser_refuse(parser, -ENOMEM, "out of memory");
                return;
        }

        app = &request->apps[request->n_apps++];
        app->appid = attribute_take(parser, attributes, "appid");
        app->version = attribute_take(parser, attributes, "version");
        app->track = attribute_take(parser, attributes, "track");
        app->board = attribute_take(parser, attributes, "board");
        app->machine_id = attribute_take(parser, attributes, "machineid");
        if (app->appid && is_empty(app->appid))
                parser_refuse(parser, -EBADMSG, "an app has no appid");
}

static void parser_event(Parser *parser, RequestApp *app, const XML_Char **attributes)
{
        RequestEvent *event;

        if (app->n_events == REQUEST_EVENTS_MAX) {
                parser_refuse(parser, -EBADMSG, "too many events");
                return;
        }

        event = &app->events[app->n_events++];
        event->type = attribute_number(parser, attributes, "eventtype");
        event->result = attribute_number(parser, attributes, "eventresult");
        event->error_code = attribute_number(parser, attributes, "errorcode");
        event->previous_version = attribute_take(parser, attributes, "previousversion");
}

static void parser_app_child(Parser *parser, const char *name, const XML_Char **attributes)
{
        RequestApp *app = &parser->request.apps[parser->request.n_apps - 1];

        if (streq(name, "ping"))
                app->ping = true;
        else if (streq(name, "updatecheck"))
                app->update_check = true;
        else if (streq(name, "event"))
                parser_event(parser, app, attributes);
}

static void on_start(void *userdata, const XML_Char *name, const XML_Char **attributes)
{
        Parser *parser = userdata;

        if (parser->error < 0)
                return; /* expat finishes an empty element even after it was stopped */
        if (parser->depth == REQUEST_DEPTH_MAX) {
                parser_refuse(parser, -EBADMSG, "elements are nested too deep");
                return;
        }

        if (parser->depth == 0) {
                parser_root(parser, name, attributes);
                parser->matched = 1;
        } else if (parser->depth == 1 && streq(name, "app")) {
                parser_app(parser, attributes);
                parser->matched = 2;
        } else if (parser->depth == 2 && parser->matched == 2)
                parser_app_child(parser, name, attributes);
        parser->depth++;
}

static void on_end(void *userdata, _unused_ const XML_Char *name)
{
        Parser *parser = userdata;

        if (parser->error < 0)
                return;
        parser->depth--;
        parser->matched = MIN_OF(parser->matched, parser->depth);
}

static void on_doctype(void *userdata, _unused_ const XML_Char *name,
                       _unused_ const XML_Char *system, _unused_ const XML_Char *public,
                       _unused_ int has_internal_subset)
{
        /* No entities, so no billion laughs and no external ones either. */
        parser_refuse(userdata, -EBADMSG, "a document type is not allowed");
}

static int parser_run(Parser *parser, const char *text, size_t size)
{
        enum XML_Status status;

        XML_SetUserData(parser->xml, parser);
        XML_SetElementHandler(parser->xml, on_start, on_end);
        XML_SetStartDoctypeDeclHandler(parser->xml, on_doctype);
        status = XML_Parse(parser->xml, text, (int)size, XML_TRUE);

        if (status != XML_STATUS_OK && parser->error == 0) {
                enum XML_Error code = XML_GetErrorCode(parser->xml);

                parser->error = code == XML_ERROR_NO_MEMORY ? -ENOMEM : -EBADMSG;
                parser->why = XML_ErrorString(code);
        }
        return parser->error;
}

int request_parse(const char *text, size_t size, Request *ret, const char **ret_why)
{
        Parser parser = {};
        int r;

        if (size > REQUEST_SIZE_MAX) {
                *ret_why = "it is too large";
                return -EBADMSG;
        }

        parser.xml = XML_ParserCreate(NULL);
        if (!parser.xml)
                return -ENOMEM;
        r = parser_run(&parser, text, size);
        XML_ParserFree(parser.xml);
        if (r < 0) {
                request_done(&parser.request);
                *ret_why = parser.why;
                return r;
        }

        *ret = parser.request;
        return 0;
}

void request_done(Request *request)
{
        for (size_t i = 0; i < request->n_apps; i++) {
                RequestApp *app = &request->apps[i];

                free(app->appid);
                free(app->version);
                free(app->track);
                free(app->board);
                free(app->machine_id);
                for (size_t k = 0; k < app->n_events; k++)
                        free(app->events[k].previous_version);
        }
        free(request->apps);
        *request = (Request) {};
}
