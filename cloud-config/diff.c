#include "cloud-config/diff.h"

/* Length of the line at p with its end. */
static size_t line_size(const char *p)
{
        size_t n = strcspn(p, "\n");

        return n + (p[n] == '\n');
}

/* The lines of text up to end, each behind a sign. */
static void lines_print(FILE *stream, char sign, const char *text, const char *end, bool secret)
{
        while (text < end) {
                size_t n = strcspn(text, "\n");
                bool hide = secret && memmem(text, n, "PASSWORD", strlen("PASSWORD"));

                if (hide)
                        fprintf(stream, "%c(a line with a password)\n", sign);
                else
                        fprintf(stream, "%c%.*s\n", sign, (int)n, text);
                text += line_size(text);
        }
}

/* Is the line at p also somewhere in [text, end)? Returns it, or NULL. */
static const char *line_find(const char *text, const char *end, const char *p)
{
        size_t n = line_size(p);

        for (; text < end; text += line_size(text))
                if (line_size(text) == n && memcmp(text, p, n) == 0)
                        return text;
        return NULL;
}

/*
 * Lines keep their order in what cloud-config writes, so this suffices: a line of the old text that comes again in
 * the new one is common, everything in front of it is not.
 */
void diff_print(FILE *stream, const char *path, const char *old, const char *new, bool secret)
{
        const char *old_end, *new_end;

        fprintf(stream, "--- %s%s\n", path, !old ? " (new)" : !new ? " (removed)" : "");
        old = old ? old : "";
        new = new ? new : "";
        old_end = old + strlen(old);
        new_end = new + strlen(new);

        while (old < old_end) {
                const char *common = line_find(new, new_end, old);

                if (common) {
                        lines_print(stream, '+', new, common, secret);
                        new = common + line_size(common);
                } else
                        lines_print(stream, '-', old, old + line_size(old), secret);
                old += line_size(old);
        }
        lines_print(stream, '+', new, new_end, secret);
}
