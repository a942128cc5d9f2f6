#include <strings.h>

#include "cloud-config/characters.h"
#include "cloud-config/report.h"

#define TAB_SHOWN " "

static const Part *part_find(const UserData *user_data, unsigned number)
{
        for (size_t i = 0; user_data && i < user_data->n_parts; i++)
                if (user_data->parts[i].number == number)
                        return &user_data->parts[i];

        return NULL;
}

static void place_print(const Report *report, Place place, FILE *stream)
{
        fputs(report->file, stream);
        if (place.part > 0)
                fprintf(stream, " (part %u)", place.part);
        if (place.line > 0)
                fprintf(stream, ":%u:%u", place.line, place.column);
}

/* A window of the line around the place; what a terminal must not see becomes "?". */
static void excerpt_line(const char *line, size_t size, size_t first, FILE *stream)
{
        size_t n, column = 0;

        for (size_t i = 0; i < size && column < first + REPORT_EXCERPT_MAX; i += n, column++) {
                uint32_t code;

                n = character_decode(line + i, size - i, &code);
                if (column < first) {
                        n = n > 0 ? n : 1;
                        continue;
                }
                if (n > 0 && !character_is_control(code))
                        fwrite(line + i, 1, n, stream);
                else
                        fputs(n > 0 && code == '\t' ? TAB_SHOWN : "?", stream);
                n = n > 0 ? n : 1;
        }
}

static bool line_names_secret(const char *line, size_t size)
{
        static const char word[] = "password";

        for (size_t i = 0; i + strlen(word) <= size; i++)
                if (strncasecmp(line + i, word, strlen(word)) == 0)
                        return true;
        return false;
}

static void excerpt_print(const Part *part, Place place, LineCursor *cursor, FILE *stream)
{
        size_t size, first = 0, caret = place.column - 1;
        const char *line;

        if (!part || !part->text || place.line == 0 || place.secret
            || !characters_line(part->text, part->size, place.line, cursor, &line, &size))
                return;

        if (line_names_secret(line, size))
                return; /* of another key in the same line, or the text is broken before it */

        if (size > REPORT_EXCERPT_MAX && caret > REPORT_EXCERPT_MAX / 2)
                first = caret - REPORT_EXCERPT_MAX / 2;
        fprintf(stream, "%5u | ", place.line);
        excerpt_line(line, size, first, stream);
        fprintf(stream, "\n      | %*s^", (int)(caret - first), "");
        for (unsigned i = 1; i < place.width && caret - first + i < REPORT_EXCERPT_MAX; i++)
                fputc('~', stream);
        fputc('\n', stream);
}

int report_print(const Report *report, FILE *stream)
{
        LineCursor cursor = {};
        unsigned part = 0;

        for (size_t i = 0; i < report->findings->n_items; i++) {
                const Finding *f = &report->findings->items[i];

                if (f->place.part != part)
                        cursor = (LineCursor) {};
                part = f->place.part;

                place_print(report, f->place, stream);
                fprintf(stream, ": %s: %s%s%s\n", severity_to_string(f->severity),
                        f->path ? f->path : "", f->path ? ": " : "", f->text);
                if (report->user_data)
                        excerpt_print(part_find(report->user_data, part), f->place, &cursor,
                                      stream);
                if (f->hint)
                        fprintf(stream, "      = hint: %s\n", f->hint);
        }
        if (report->findings->n_dropped > 0)
                fprintf(stream, "%s: %zu more findings are not shown\n", report->file,
                        report->findings->n_dropped);

        return ferror(stream) ? -EIO : 0;
}

json_t *report_json(const Report *report)
{
        json_auto_t *array = json_array();

        for (size_t i = 0; array && i < report->findings->n_items; i++) {
                const Finding *f = &report->findings->items[i];
                json_t *item;

                item = json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:s?, s:s, s:s?}", "file",
                                 report->file, "severity", severity_to_string(f->severity), "part",
                                 (int)f->place.part, "line", (int)f->place.line, "column",
                                 (int)f->place.column, "width", (int)f->place.width, "path",
                                 f->path, "message", f->text, "hint", f->hint);
                if (!item || json_array_append_new(array, item) < 0)
                        return NULL;
        }

        return json_incref(array);
}
