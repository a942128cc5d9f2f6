#include <ctype.h>
#include <expat.h>
#include <limits.h>
#include <stdio.h>
#include <strings.h>

#include "base/base64.h"
#include "omaha-response.h"

#define PATH_LENGTH_MAX 256

/* What the parser remembers between two elements. */
typedef struct Parse {
        XML_Parser expat;
        const char *app_id;
        OmahaResponse response;
        char path[PATH_LENGTH_MAX]; /* "/response/app/…" of the open element */
        unsigned depth;
        bool response_seen, app_seen, our_app, check_seen, manifest_seen, action_seen;
        bool in_manifest; /* inside the first manifest */
        char *app_status, *check_status;
        int r;
        UpdateFailure *failure;
} Parse;

/* One wording of the server for "later": no error of anybody. */
static const char *const policy_words[] = {
        "error-noPackageFound",
        "error-maxUpdatesPerPeriodLimitReached",
        "error-maxConcurrentUpdatesLimitReached",
        "error-maxTimedOutUpdatesLimitReached",
        "error-updatesDisabled",
        "error-updateInProgressOnInstance",
};

static void package_done(OmahaPackage *package)
{
        free(package->name);
        *package = (OmahaPackage) {};
}

void omaha_response_done(OmahaResponse *response)
{
        free(response->reason);
        free(response->version);
        text_list_done(&response->urls);
        for (size_t i = 0; i < response->n_packages; i++)
                package_done(&response->packages[i]);
        free(response->packages);
        *response = (OmahaResponse) {};
}

static void parse_done(Parse *parse)
{
        omaha_response_done(&parse->response);
        free(parse->app_status);
        free(parse->check_status);
        if (parse->expat)
                XML_ParserFree(parse->expat);
}

/* Ends the parsing; the first reason stays. */
static int parse_stop(Parse *parse, UpdateErrorCode code, const char *text)
{
        if (parse->r >= 0)
                parse->r = update_failure_set(parse->failure, -EBADMSG, code,
                                              "the answer of the update server: %s", text);
        (void)XML_StopParser(parse->expat, XML_FALSE); /* fails only when it is stopped already */
        return parse->r;
}

static int parse_invalid(Parse *parse, const char *text)
{
        return parse_stop(parse, UPDATE_ERROR_ANSWER_INVALID, text);
}

static const char *attribute(const XML_Char **attributes, const char *name)
{
        for (; *attributes; attributes += 2)
                if (streq(attributes[0], name))
                        return attributes[1];
        return NULL;
}

/* Printable and short: these values go into logs, URLs and the plan. */
static bool value_is_plain(const char *value)
{
        for (const char *p = value; *p; p++)
                if (iscntrl((unsigned char)*p))
                        return false;
        return strlen(value) <= OMAHA_VALUE_MAX;
}

static int parse_keep(Parse *parse, char **target, const char *value)
{
        if (!value)
                return 0;
        if (!value_is_plain(value))
                return parse_invalid(parse, "a value is too long or has control characters");
        if (text_set(target, value) < 0) {
                parse->r = -ENOMEM;
                return parse_stop(parse, UPDATE_ERROR_GENERIC, "memory is short");
        }
        return 0;
}

/* "{E96281A6-…}" and "e96281a6-…" are the same application. */
static bool app_ids_equal(const char *a, const char *b)
{
        size_t n, m;

        a += *a == '{';
        b += *b == '{';
        n = strcspn(a, "}");
        m = strcspn(b, "}");
        return n == m && strncasecmp(a, b, n) == 0;
}

static bool sha256_from_base64(const char *text, uint8_t ret[static SHA256_SIZE])
{
        _cleanup_free_ char *bytes = NULL;
        size_t size;

        if (base64_decode(text, &bytes, &size) < 0 || size != SHA256_SIZE)
                return false;

        memcpy(ret, bytes, SHA256_SIZE);
        return true;
}

static int on_response(Parse *parse, const XML_Char **attributes)
{
        const char *protocol = attribute(attributes, "protocol");

        parse->response_seen = true;
        if (!protocol || !streq(protocol, "3.0"))
                return parse_invalid(parse, "it is not Omaha protocol 3.0");
        return 0;
}

static int on_app(Parse *parse, const XML_Char **attributes)
{
        const char *id = attribute(attributes, "appid");

        parse->our_app = id && !parse->app_seen && app_ids_equal(id, parse->app_id);
        if (!parse->our_app)
                return 0;

        parse->app_seen = true;
        return parse_keep(parse, &parse->app_status, attribute(attributes, "status"));
}

static int on_check(Parse *parse, const XML_Char **attributes)
{
        const char *poll = attribute(attributes, "PollInterval");

        if (parse->check_seen)
                return parse_invalid(parse, "there are several updatecheck elements");
        parse->check_seen = true;
        if (poll && text_to_u64(poll, OMAHA_POLL_MAX, &parse->response.poll_interval) < 0)
                parse->response.poll_interval = 0; /* a wish that makes no sense is none */
        return parse_keep(parse, &parse->check_status, attribute(attributes, "status"));
}

static int on_url(Parse *parse, const XML_Char **attributes)
{
        _cleanup_free_ char *copy = NULL;
        const char *base = attribute(attributes, "codebase");

        if (is_empty(base))
                return parse_invalid(parse, "a url has no codebase");
        if (parse->response.urls.n_items >= OMAHA_URLS_MAX)
                return parse_invalid(parse, "it has too many URLs");
        if (parse_keep(parse, &copy, base) < 0)
                return parse->r;
        return text_list_add(&parse->response.urls, copy);
}

static int on_manifest(Parse *parse, const XML_Char **attributes)
{
        parse->in_manifest = !parse->manifest_seen;
        parse->manifest_seen = true;
        if (!parse->in_manifest)
                return 0; /* later ones are for syncers */
        return parse_keep(parse, &parse->response.version, attribute(attributes, "version"));
}

/* Nebraska writes it in hexadecimal, go-omaha once wrote base64. None, or an empty one, is fine. */
static bool package_take_hash(OmahaPackage *package, const char *value)
{
        if (is_empty(value))
                return true;
        package->hashed = hex_decode(value, package->sha256, SHA256_SIZE) >= 0
                          || sha256_from_base64(value, package->sha256);
        return package->hashed;
}

static int on_package(Parse *parse, const XML_Char **attributes)
{
        OmahaResponse *response = &parse->response;
        const char *name = attribute(attributes, "name"), *size = attribute(attributes, "size");
        OmahaPackage package = {}, *grown;

        if (!parse->in_manifest)
                return 0;
        if (is_empty(name))
                return parse_invalid(parse, "a package has no name");
        if (!size || text_to_u64(size, INT64_MAX, &package.size) < 0 || package.size == 0)
                return parse_invalid(parse, "the size of a package is not a positive number");
        if (!package_take_hash(&package, attribute(attributes, "hash_sha256")))
                return parse_invalid(parse, "the hash_sha256 of a package is neither 64 "
                                            "hexadecimal digits nor 44 base64 letters");
        if (response->n_packages >= OMAHA_PACKAGES_MAX)
                return parse_invalid(parse, "it has too many packages");
        package.required = streq_null(attribute(attributes, "required"), "true");

        grown = reallocarray(response->packages, response->n_packages + 1, sizeof(OmahaPackage));
        if (!grown)
                return -ENOMEM;
        response->packages = grown;
        response->packages[response->n_packages++] = package;
        return parse_keep(parse, &response->packages[response->n_packages - 1].name, name);
}

static int on_action(Parse *parse, const XML_Char **attributes)
{
        OmahaResponse *response = &parse->response;
        const char *event = attribute(attributes, "event"), *sha = attribute(attributes, "sha256");
        const char *failures = attribute(attributes, "MaxFailureCountPerUrl");
        uint64_t n = OMAHA_FAILURES_PER_URL_DEFAULT;

        if (!parse->in_manifest || !event || !streq(event, "postinstall") || parse->action_seen)
                return 0;
        parse->action_seen = true;
        if (!sha || !sha256_from_base64(sha, response->sha256))
                return parse_invalid(parse,
                                     "the postinstall action has no sha256 of 44 base64 letters");

        if (failures && text_to_u64(failures, UINT_MAX, &n) < 0)
                n = OMAHA_FAILURES_PER_URL_DEFAULT;
        response->failures_per_url = (unsigned)n;
        response->delta = streq_null(attribute(attributes, "IsDeltaPayload"), "true");
        response->no_backoff = streq_null(attribute(attributes, "DisablePayloadBackoff"), "true");
        return 0;
}

static const struct {
        const char *path;
        bool of_app; /* only inside the app that is ours */
        int (*start)(Parse *parse, const XML_Char **attributes);
} elements[] = {
        { "/response", false, on_response },
        { "/response/app", false, on_app },
        { "/response/app/updatecheck", true, on_check },
        { "/response/app/updatecheck/urls/url", true, on_url },
        { "/response/app/updatecheck/manifest", true, on_manifest },
        { "/response/app/updatecheck/manifest/packages/package", true, on_package },
        { "/response/app/updatecheck/manifest/actions/action", true, on_action },
};

static void XMLCALL on_start(void *userdata, const XML_Char *name, const XML_Char **attributes)
{
        Parse *parse = userdata;
        size_t n = strlen(parse->path);
        int r = 0;

        if (++parse->depth > OMAHA_DEPTH_MAX) {
                (void)parse_stop(parse, UPDATE_ERROR_ANSWER_XML, "it is nested too deeply");
                return;
        }
        if (n + 1 + strlen(name) >= sizeof(parse->path)) {
                (void)parse_stop(parse, UPDATE_ERROR_ANSWER_XML, "its element names are too long");
                return;
        }
        snprintf(parse->path + n, sizeof(parse->path) - n, "/%s", name);

        for (size_t i = 0; i < ELEMENTSOF(elements) && r >= 0; i++)
                if (streq(parse->path, elements[i].path) && (!elements[i].of_app || parse->our_app))
                        r = elements[i].start(parse, attributes);
        if (r < 0 && parse->r >= 0) {
                (void)parse_stop(parse, UPDATE_ERROR_GENERIC, "memory is short");
                parse->r = r;
        }
}

static void XMLCALL on_end(void *userdata, _unused_ const XML_Char *name)
{
        Parse *parse = userdata;
        char *slash = strrchr(parse->path, '/');

        if (streq(parse->path, "/response/app"))
                parse->our_app = false;
        if (streq(parse->path, "/response/app/updatecheck/manifest"))
                parse->in_manifest = false;
        if (slash)
                *slash = 0;
        parse->depth--;
}

/* Entities, internal or external, need a DOCTYPE: without it there are none. */
static void XMLCALL on_doctype(void *userdata, _unused_ const XML_Char *name,
                               _unused_ const XML_Char *system_id,
                               _unused_ const XML_Char *public_id, _unused_ int internal)
{
        (void)parse_stop(userdata, UPDATE_ERROR_ANSWER_XML,
                         "it has a DOCTYPE, which no answer needs");
}

static int parse_run(Parse *parse, const char *body, size_t size)
{
        parse->expat = XML_ParserCreate(NULL);
        if (!parse->expat)
                return -ENOMEM;

        XML_SetUserData(parse->expat, parse);
        XML_SetElementHandler(parse->expat, on_start, on_end);
        XML_SetStartDoctypeDeclHandler(parse->expat, on_doctype);
        if (XML_Parse(parse->expat, body, (int)size, XML_TRUE) == XML_STATUS_OK)
                return 0;
        if (parse->r < 0)
                return parse->r;

        return update_failure_set(parse->failure, -EBADMSG, UPDATE_ERROR_ANSWER_XML,
                                  "the answer of the update server is no XML: line %lu: %s",
                                  XML_GetCurrentLineNumber(parse->expat),
                                  XML_ErrorString(XML_GetErrorCode(parse->expat)));
}

static bool word_is_policy(const char *word)
{
        for (size_t i = 0; i < ELEMENTSOF(policy_words); i++)
                if (streq_null(word, policy_words[i]))
                        return true;
        return false;
}

static int verdict_of_error(Parse *parse)
{
        const char *app = parse->app_status, *check = parse->check_status;
        /* Nebraska says "error-internal" in updatecheck and the reason in app. */
        const char *word = app && !streq(app, "ok") ? app : check;

        if (word_is_policy(app) || word_is_policy(check)) {
                parse->response.verdict = OMAHA_NOT_NOW;
                return text_set(&parse->response.reason, word_is_policy(app) ? app : check);
        }

        return update_failure_set(parse->failure, -EBADMSG, UPDATE_ERROR_ANSWER_INVALID,
                                  "the update server refuses: \"%s\"; check SERVER and GROUP in "
                                  "update.conf",
                                  word ? word : "no status");
}

/* Everything is read: does it make a whole? */
static int parse_judge(Parse *parse)
{
        OmahaResponse *response = &parse->response;
        bool app_ok = !parse->app_status || streq(parse->app_status, "ok");

        if (!parse->response_seen)
                return parse_invalid(parse, "it is no Omaha response");
        if (!parse->app_seen)
                return parse_invalid(parse, "it is about another application than this host's");
        if (!app_ok)
                return verdict_of_error(parse);
        if (!parse->check_seen)
                return parse_invalid(parse, "it has no updatecheck");
        if (streq_null(parse->check_status, "noupdate"))
                return 0;
        if (!streq_null(parse->check_status, "ok"))
                return verdict_of_error(parse);

        if (response->urls.n_items == 0)
                return parse_invalid(parse, "it offers an update without a URL");
        if (response->n_packages == 0)
                return parse_invalid(parse, "it offers an update without a package");
        if (!parse->action_seen)
                return parse_invalid(parse, "it offers an update without a postinstall action");
        if (!response->version && text_set(&response->version, "") < 0)
                return -ENOMEM;
        response->verdict = OMAHA_UPDATE;
        return 0;
}

int omaha_response_parse(const char *body, size_t size, const char *app_id, OmahaResponse *ret,
                         UpdateFailure *failure)
{
        _cleanup_(parse_done) Parse parse = { .app_id = app_id, .failure = failure };
        int r;

        if (size == 0)
                return update_failure_set(failure, -EBADMSG, UPDATE_ERROR_ANSWER_EMPTY,
                                          "the answer of the update server is empty");
        if (size > OMAHA_ANSWER_MAX)
                return update_failure_set(failure, -EBADMSG, UPDATE_ERROR_ANSWER_XML,
                                          "the answer of the update server is too large");

        r = parse_run(&parse, body, size);
        if (r < 0)
                return r;
        r = parse_judge(&parse);
        if (r < 0)
                return r;

        *ret = parse.response;
        parse.response = (OmahaResponse) {};
        return 0;
}

bool omaha_response_is_answer(const char *body, size_t size)
{
        _cleanup_(update_failure_done) UpdateFailure failure = {};
        _cleanup_(parse_done) Parse parse = { .app_id = "", .failure = &failure };

        return size > 0 && size <= OMAHA_ANSWER_MAX && parse_run(&parse, body, size) >= 0
               && parse.response_seen;
}
