#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include <jansson.h>

#include "base/text.h"
#include "cloud-config/characters.h"
#include "cloud-config/gzip.h"
#include "cloud-config/multipart.h"
#include "cloud-config/user-data.h"

#define HEADER      "#cloud-config"
#define HEADER_HINT "the first line must be exactly " HEADER
#define NBSP        "\xc2\xa0"
#define BOM         "\xef\xbb\xbf"

/* The first line is looked at no further than this. */
#define FIRST_LINE_MAX 80

static Place part_start(const Part *part)
{
        return (Place) { .part = part->number, .line = 1, .column = 1, .width = 1 };
}

void part_done(Part *part)
{
        free(part->text);
        *part = (Part) {};
}

void user_data_done(UserData *user_data)
{
        for (size_t i = 0; i < user_data->n_parts; i++)
                part_done(&user_data->parts[i]);
        free(user_data->parts);
        *user_data = (UserData) {};
}

int user_data_add(UserData *user_data, Part *part)
{
        Part *parts;

        parts = reallocarray(user_data->parts, user_data->n_parts + 1, sizeof(Part));
        if (!parts)
                return -ENOMEM;

        user_data->parts = parts;
        parts[user_data->n_parts++] = *part;
        *part = (Part) {};
        return 0;
}

/* Reports that a part can not be read at all. */
static int part_refuse(Part *part, Findings *findings, const char *hint, const char *text)
{
        finding_add(findings, SEVERITY_ERROR, part_start(part), NULL, hint, "%s", text);
        part->kind = PART_OTHER;
        return 0;
}

/* {"ignition": {"version": …}} or the old {"ignitionVersion": …} */
static bool is_ignition(const Part *part)
{
        json_auto_t *json = json_loadb(part->text, part->size, 0, NULL);

        return json
               && (json_object_get(json, "ignitionVersion")
                   || json_object_get(json_object_get(json, "ignition"), "version"));
}

static bool is_utf16(const Part *part)
{
        return part->size >= 2
               && (memcmp(part->text, "\xff\xfe", 2) == 0 || memcmp(part->text, "\xfe\xff", 2) == 0
                   || (part->text[0] == '#' && !part->text[1])
                   || (!part->text[0] && part->text[1] == '#'));
}

/* Takes white space off the end of the first line, a no-break space with a warning. */
static void first_line_trim(char *line, Place place, Findings *findings)
{
        size_t n = strlen(line);

        while (n > 0) {
                if (n >= 2 && memcmp(line + n - 2, NBSP, 2) == 0) {
                        finding_add(findings, SEVERITY_WARNING, place, NULL,
                                    "remove it; it looks like a blank and is none",
                                    "a no-break space (U+00A0) behind " HEADER);
                        n -= 2;
                } else if (isspace((unsigned char)line[n - 1]))
                        n--;
                else
                        break;
        }
        line[n] = 0;
}

/* Is the line meant to be ours? Compares letters and digits only. */
static bool looks_like_header(const char *line)
{
        const char *wanted = "cloudconfig";

        for (; *line && *wanted; line++) {
                if (!isalnum((unsigned char)*line))
                        continue;
                if (tolower((unsigned char)*line) != *wanted)
                        return false;
                wanted++;
        }
        while (*line && !isalnum((unsigned char)*line))
                line++;
        return !*wanted && !*line;
}

static int part_refuse_format(Part *part, Findings *findings, const char *line)
{
        static const char *const formats[] = {
                "#cloud-config-archive", "#cloud-boothook", "#include",
                "#include-once",         "#upstart-job",    "#part-handler",
                "#cloud-config-jsonp",   "## template:"
        };

        for (size_t i = 0; i < ELEMENTSOF(formats); i++)
                if (streq(line, formats[i]) || after_prefix(line, "## template:")) {
                        finding_add(findings, SEVERITY_ERROR, part_start(part), NULL, HEADER_HINT,
                                    "the format \"%s\" is not supported", line);
                        part->kind = PART_OTHER;
                        return 0;
                }

        if (looks_like_header(line))
                return part_refuse(part, findings, HEADER_HINT,
                                   "this is nearly the first line of a cloud-config, did you mean "
                                   "\"" HEADER "\"?");
        if (!*line)
                return part_refuse(part, findings, HEADER_HINT, "the first line is empty");
        return part_refuse(part, findings, HEADER_HINT,
                           "this is neither a cloud-config nor a script nor an Ignition document");
}

/* Decides by the first line, which is changed. */
static int part_classify_line(Part *part, char *line, Findings *findings)
{
        const Place place = { part->number, 1, (unsigned)strlen(HEADER) + 1, 1, false };

        part->kind = PART_CLOUD_CONFIG;
        first_line_trim(line, place, findings);
        if (streq(line, HEADER))
                return 0;

        part->kind = after_prefix(line, "#!") ? PART_SCRIPT : PART_OTHER;
        if (*line == '{' && is_ignition(part))
                part->kind = PART_IGNITION;
        if (part->kind != PART_OTHER)
                return 0;

        if (characters_have_control(line, strlen(line)))
                return part_refuse(part, findings, HEADER_HINT,
                                   "this is binary data, not a cloud-config");
        return part_refuse_format(part, findings, line);
}

static void part_drop_mark(Part *part)
{
        if (part->size < strlen(BOM) || memcmp(part->text, BOM, strlen(BOM)) != 0)
                return;

        part->size -= strlen(BOM);
        memmove(part->text, part->text + strlen(BOM), part->size + 1);
}

int part_classify(Part *part, Findings *findings)
{
        _cleanup_free_ char *line = NULL;

        part_drop_mark(part);
        if (part->size == 0) {
                part->kind = PART_EMPTY;
                return 0;
        }
        if (is_utf16(part))
                return part_refuse(part, findings, "save it as UTF-8",
                                   "the document is UTF-16, only UTF-8 is read");
        if (!memchr(part->text, '\n', part->size) && after_prefix(part->text, HEADER "\r"))
                return part_refuse(part, findings, "save it with Unix line ends",
                                   "the lines end in CR alone");

        line = strndup(part->text, MIN_OF(strcspn(part->text, "\n"), (size_t)FIRST_LINE_MAX));
        return line ? part_classify_line(part, line, findings) : -ENOMEM;
}

/* The whole is not compressed (any more). */
static int user_data_split(Part *whole, Findings *findings, UserData *user_data)
{
        int r;

        if (multipart_detect(whole->text, whole->size))
                return multipart_parse(whole->text, whole->size, findings, user_data);

        r = part_classify(whole, findings);
        if (r < 0)
                return r;

        return user_data_add(user_data, whole);
}

int user_data_parse(const char *data, size_t size, Findings *findings, UserData *ret)
{
        _cleanup_(user_data_done) UserData user_data = {};
        _cleanup_(part_done) Part whole = {};
        int r;

        if (size > USER_DATA_MAX) {
                finding_add(findings, SEVERITY_ERROR, (Place) {}, NULL, NULL,
                            "the document is larger than 1 MiB");
                return 0;
        }

        if (gzip_detect(data, size)) {
                r = gzip_inflate(data, size, USER_DATA_MAX, (Place) {}, findings, &whole.text,
                                 &whole.size);
                if (r == -EBADMSG)
                        return 0;
                if (r < 0)
                        return r;
        } else {
                whole.text = malloc(size + 1);
                if (!whole.text)
                        return -ENOMEM;
                if (size > 0)
                        memcpy(whole.text, data, size);
                whole.text[size] = 0;
                whole.size = size;
        }

        r = user_data_split(&whole, findings, &user_data);
        if (r < 0)
                return r;

        *ret = user_data;
        user_data = (UserData) {};
        return 0;
}
