#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"
#include "ctl-table.h"

#define WIDTH_DEFAULT  80
#define HEIGHT_DEFAULT 24
#define SIZE_MAX_SHOWN 1000
#define REST_MIN       16 /* of a line; on a smaller terminal lines are cut where they end */

/* What the environment says, else what the terminal says. */
static size_t terminal_size(const char *variable, bool columns, size_t otherwise)
{
        const char *text = getenv(variable);
        struct winsize size = {};
        uint64_t value;

        if (!isatty(STDOUT_FILENO))
                return 0;
        if (text && text_to_u64(text, SIZE_MAX_SHOWN, &value) >= 0 && value > 0)
                return (size_t)value;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
                return otherwise;

        value = columns ? size.ws_col : size.ws_row;
        return value > 0 ? (size_t)value : otherwise;
}

size_t ctl_width(void)
{
        return terminal_size("COLUMNS", true, WIDTH_DEFAULT);
}

size_t ctl_height(void)
{
        return terminal_size("LINES", false, HEIGHT_DEFAULT);
}

/* How many bytes the first width characters of text have. */
static size_t text_span(const char *text, size_t width)
{
        size_t n = 0;

        for (size_t shown = 0; text[n]; n++) {
                shown +=
                        ((unsigned char)text[n] & 0xc0) != 0x80; /* the first byte of a character */
                if (shown > width)
                        break;
        }
        return n;
}

/* Where the line that begins at text has to end: rather at two blanks than at one. */
static size_t line_length(const char *text, size_t width)
{
        size_t n = text_span(text, width), one = 0, two = 0;

        if (!text[n])
                return n;
        for (size_t i = n; i > 0 && two == 0; i--) {
                if (text[i] == ' ' && one == 0)
                        one = i;
                if (text[i] == ' ' && text[i - 1] == ' ')
                        two = i - 1;
        }
        if (3 * two >= width)
                return two; /* else too little would be left of the line */
        return one > 0 ? one : n;
}

/* The first line begins in column, the others in indent. */
static void wrap(FILE *out, size_t width, size_t column, size_t indent, const char *text)
{
        for (;;) {
                size_t room = width > column + REST_MIN ? width - column : REST_MIN;
                size_t n = width > 0 ? line_length(text, room) : strlen(text);

                fprintf(out, "%.*s\n", (int)n, text);
                text += n + strspn(text + n, " ");
                if (!*text)
                        return;
                fprintf(out, "%*s", (int)indent, "");
                column = indent;
        }
}

void ctl_print_from(FILE *out, size_t width, size_t column, const char *text)
{
        wrap(out, width, column, column, text);
}

void ctl_printf(FILE *out, size_t width, size_t indent, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = text_vformat(&text, format, arguments);
        va_end(arguments);
        wrap(out, width, 0, indent, r < 0 ? "out of memory" : text);
}
