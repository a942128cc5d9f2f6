#include <strings.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/text.h"
#include "cloud-config/gzip.h"
#include "cloud-config/multipart.h"

/* A piece of the document, borrowed. */
typedef struct Span {
        const char *data;
        size_t size;
} Span;

/* What the headers of a part (or of the whole) say. */
typedef struct Headers {
        char *type;     /* "text/cloud-config", in lower case; NULL when there is none */
        char *boundary; /* or NULL */
        char *encoding; /* in lower case, or NULL */
} Headers;

static void headers_done(Headers *headers)
{
        free(headers->type);
        free(headers->boundary);
        free(headers->encoding);
        *headers = (Headers) {};
}

/* Cuts the first line off, without its end. Returns false when nothing is left. */
static bool span_line(Span *rest, Span *ret)
{
        const char *end;

        if (rest->size == 0)
                return false;

        end = memchr(rest->data, '\n', rest->size);
        *ret = (Span) { rest->data, end ? (size_t)(end - rest->data) : rest->size };
        rest->data += ret->size + (end ? 1 : 0);
        rest->size -= ret->size + (end ? 1 : 0);
        if (ret->size > 0 && ret->data[ret->size - 1] == '\r')
                ret->size--;
        return true;
}

bool multipart_detect(const char *text, size_t size)
{
        static const char *const names[] = { "content-type:", "mime-version:" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (size >= strlen(names[i]) && strncasecmp(text, names[i], strlen(names[i])) == 0)
                        return true;
        return false;
}

/* The value of a parameter in 'multipart/mixed; boundary="XX"', copied; NULL when it is not there. */
static int parameter_get(const char *value, const char *name, char **ret)
{
        const char *p = strchr(value, ';');

        *ret = NULL;
        for (; p; p = strchr(p, ';')) {
                size_t n;

                p += 1 + strspn(p + 1, " \t");
                if (strncasecmp(p, name, strlen(name)) != 0 || p[strlen(name)] != '=')
                        continue;
                p += strlen(name) + 1;
                n = *p == '"' ? strcspn(p + 1, "\"") : strcspn(p, "; \t");
                *ret = strndup(*p == '"' ? p + 1 : p, n);
                return *ret ? 0 : -ENOMEM;
        }

        return 0;
}

/* Takes one complete header "Name: value" (unfolded) into account. */
static int headers_add(Headers *headers, char *line)
{
        char *value = strchr(line, ':');
        int r;

        if (!value)
                return 0;
        *value++ = 0;
        value = text_strip(value);

        if (strcasecmp(line, "Content-Transfer-Encoding") == 0) {
                text_lower(value);
                return text_set(&headers->encoding, value);
        }
        if (strcasecmp(line, "Content-Type") != 0)
                return 0;

        free(headers->boundary);
        r = parameter_get(value, "boundary", &headers->boundary);
        if (r < 0)
                return r;
        value[strcspn(value, "; \t")] = 0;
        text_lower(value);
        return text_set(&headers->type, value);
}

/* Takes the header that was collected, if any. */
static int headers_flush(Headers *headers, Buffer *pending)
{
        _cleanup_free_ char *line = NULL;
        int r;

        if (pending->size == 0)
                return 0;

        r = buffer_take_text(pending, &line, NULL);
        if (r < 0)
                return r;

        return headers_add(headers, line);
}

/* Reads headers up to the blank line and moves rest behind it. -EBADMSG when they can not be read. */
static int headers_read(Span *rest, Headers *headers)
{
        _cleanup_(buffer_done) Buffer pending = BUFFER_MAX(MULTIPART_HEADER_MAX);
        Span line;
        int r;

        while (span_line(rest, &line) && line.size > 0) {
                bool folded = *line.data == ' ' || *line.data == '\t';

                if (memchr(line.data, 0, line.size))
                        return -EBADMSG;
                r = folded ? 0 : headers_flush(headers, &pending);
                if (r < 0)
                        return r;
                r = buffer_append(&pending, line.data, line.size);
                if (r < 0)
                        return r == -EFBIG ? -EBADMSG : r;
        }

        return headers_flush(headers, &pending);
}

/* Is this line "--boundary" (1) or "--boundary--" (2)? Otherwise 0. */
static int boundary_match(Span line, const char *boundary)
{
        size_t n = strlen(boundary);

        while (line.size > 0
               && (line.data[line.size - 1] == ' ' || line.data[line.size - 1] == '\t'))
                line.size--;
        if (line.size < n + 2 || memcmp(line.data, "--", 2) != 0
            || memcmp(line.data + 2, boundary, n) != 0)
                return 0;
        if (line.size == n + 2)
                return 1;
        return line.size == n + 4 && memcmp(line.data + n + 2, "--", 2) == 0 ? 2 : 0;
}

/* MIME breaks base64 into lines. */
static int part_decode_base64(Span body, char **ret, size_t *ret_size)
{
        _cleanup_free_ char *text = malloc(body.size + 1);
        size_t n = 0;

        if (!text)
                return -ENOMEM;

        for (size_t i = 0; i < body.size; i++)
                if (!strchr(" \t\r\n", body.data[i]) || body.data[i] == 0)
                        text[n++] = body.data[i];
        text[n] = 0;
        if (strlen(text) != n)
                return -EBADMSG;

        return base64_decode(text, ret, ret_size);
}

static int part_refuse(Findings *findings, const Part *part, const char *what, const char *value)
{
        finding_add(findings, SEVERITY_ERROR, (Place) { .part = part->number }, NULL, NULL,
                    "%s: %s", what, value);
        return -EBADMSG;
}

/* Undoes the transfer encoding. */
static int part_decode(Part *part, const Headers *headers, Span body, Findings *findings)
{
        static const char *const plain[] = { "7bit", "8bit", "binary", "identity" };
        const char *encoding = headers->encoding ? headers->encoding : "8bit";
        int r;

        if (streq(encoding, "base64")) {
                r = part_decode_base64(body, &part->text, &part->size);
                return r == -EBADMSG ? part_refuse(findings, part,
                                                   "the text of this part is damaged", encoding)
                                     : r;
        }

        for (size_t i = 0; i < ELEMENTSOF(plain); i++)
                if (streq(encoding, plain[i])) {
                        part->text = calloc(1, body.size + 1);
                        if (!part->text)
                                return -ENOMEM;
                        memcpy(part->text, body.data, body.size);
                        part->size = body.size;
                        return 0;
                }

        return part_refuse(findings, part, "this transfer encoding is not supported", encoding);
}

/* What the content type says the part is; it wins over the first line. */
static int part_kind(Part *part, const Headers *headers, Findings *findings)
{
        const char *type = headers->type ? headers->type : "text/plain";

        if (after_prefix(type, "multipart/"))
                return part_refuse(findings, part, "parts inside a part are not read", type);
        if (streq(type, "text/x-shellscript")) {
                part->kind = PART_SCRIPT;
                return 0;
        }
        if (streq(type, "text/cloud-config") && !after_prefix(part->text, "#")) {
                part->kind = part->size > 0 ? PART_CLOUD_CONFIG : PART_EMPTY;
                return 0; /* the type says it all, the first line may be missing */
        }

        return part_classify(part, findings);
}

/* max: what it may have when it is decompressed. */
static int part_read(Part *part, Span body, size_t max, Findings *findings)
{
        _cleanup_(headers_done) Headers headers = {};
        int r;

        r = headers_read(&body, &headers);
        if (r == -EBADMSG)
                return part_refuse(findings, part, "this part can not be read",
                                   "its headers are too long or binary");
        if (r < 0)
                return r;

        r = part_decode(part, &headers, body, findings);
        if (r < 0)
                return r;

        if (gzip_detect(part->text, part->size)) {
                _cleanup_free_ char *packed = TAKE_PTR(part->text);

                r = gzip_inflate(packed, part->size, max, (Place) { .part = part->number },
                                 findings, &part->text, &part->size);
                if (r < 0)
                        return r;
        }

        return part_kind(part, &headers, findings);
}

static int part_add(UserData *user_data, Span body, Findings *findings)
{
        _cleanup_(part_done)
                Part part = { .kind = PART_OTHER, .number = (unsigned)user_data->n_parts + 1 };
        size_t size = 0;
        int r;

        for (size_t i = 0; i < user_data->n_parts; i++)
                size += user_data->parts[i].size;

        r = part_read(&part, body, USER_DATA_MAX - MIN_OF(size, USER_DATA_MAX), findings);
        if (r < 0 && r != -EBADMSG)
                return r;
        if (r == -EBADMSG)
                part.kind = PART_OTHER;

        return user_data_add(user_data, &part);
}

/* The line end in front of a boundary belongs to the boundary. */
static Span body_of(const char *start, const char *end)
{
        if (end > start && end[-1] == '\n')
                end--;
        if (end > start && end[-1] == '\r')
                end--;
        return (Span) { start, (size_t)(end - start) };
}

static int parts_read(Span rest, const char *boundary, Findings *findings, UserData *user_data)
{
        const char *start = NULL;
        Span line;
        int r;

        while (span_line(&rest, &line)) {
                int match = boundary_match(line, boundary);

                if (match == 0)
                        continue;
                if (start) {
                        r = part_add(user_data, body_of(start, line.data), findings);
                        if (r < 0)
                                return r;
                }
                if (match == 2)
                        return 0;
                if (user_data->n_parts >= USER_DATA_PARTS_MAX)
                        return -E2BIG;
                start = rest.data;
        }

        return -EBADMSG;
}

int multipart_parse(const char *text, size_t size, Findings *findings, UserData *user_data)
{
        _cleanup_(headers_done) Headers headers = {};
        Span rest = { text, size };
        const char *why = NULL;
        int r;

        r = headers_read(&rest, &headers);
        if (r == -ENOMEM)
                return r;

        if (r < 0)
                why = "the MIME headers can not be read";
        else if (!headers.type || !after_prefix(headers.type, "multipart/"))
                why = "the MIME headers do not say Content-Type: multipart/mixed";
        else if (is_empty(headers.boundary) || strlen(headers.boundary) > MULTIPART_BOUNDARY_MAX)
                why = "the Content-Type has no boundary, or a longer one than 70 characters";
        if (!why) {
                r = parts_read(rest, headers.boundary, findings, user_data);
                if (r == -ENOMEM)
                        return r;
                if (r == -E2BIG)
                        why = "more than 32 parts";
                else if (r < 0)
                        why = "the last boundary is missing: the document is cut off";
                else if (user_data->n_parts == 0)
                        why = "there is no part between the boundaries";
        }
        if (why)
                finding_add(findings, SEVERITY_ERROR, (Place) {}, NULL, NULL, "%s", why);
        return 0;
}
