#include <langinfo.h>
#include <locale.h>
#include <sys/ioctl.h>

#include "base/progress.h"

#define DRAW_INTERVAL  (100 * USEC_PER_MSEC)
#define BAR_WIDTH      24
#define COLUMNS_WANTED 80 /* for all of it */

const char *progress_bar(double fraction, unsigned width, bool ascii,
                         char buffer[static PROGRESS_BAR_MAX])
{
        const char *full = ascii ? "#" : "█";
        unsigned filled;
        size_t n = 0;

        if (!(fraction > 0))
                fraction = 0;
        if (fraction > 1)
                fraction = 1;
        width = MIN_OF(width, (unsigned)(PROGRESS_BAR_MAX / 4));
        filled = (unsigned)(fraction * width);

        for (unsigned i = 0; i < width; i++)
                n += (size_t)snprintf(buffer + n, PROGRESS_BAR_MAX - n, "%s",
                                      i < filled ? full : " ");

        return buffer;
}

/* Asks the environment without changing the locale of the program, which parses bytes in the C locale. */
static bool terminal_is_ascii(void)
{
        locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
        bool utf8 = locale && streq(nl_langinfo_l(CODESET, locale), "UTF-8");

        if (locale)
                freelocale(locale);
        return !utf8;
}

/* Of the terminal; as many as are needed where it does not say. */
static int terminal_columns(FILE *stream)
{
        struct winsize size;

        return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                                : COLUMNS_WANTED;
}

static void progress_draw(Progress *progress, uint64_t done, usec_t now)
{
        char text[BYTES_MAX + BYTES_MAX + TIMESPAN_MAX + sizeof("  /s   left")];
        int columns = terminal_columns(progress->stream),
            used = (int)strlen(progress->label) + (int)strlen(" 100% ") + 1;
        char bar[PROGRESS_BAR_MAX], size[BYTES_MAX], speed[BYTES_MAX], left[TIMESPAN_MAX];
        usec_t elapsed = MAX_OF(now - progress->started, (usec_t)1);
        double fraction = progress->total ? (double)done / (double)progress->total : 0;
        double rate = (double)done * (double)USEC_PER_SEC / (double)elapsed;
        double remaining =
                rate > 0 && progress->total > done ? (double)(progress->total - done) / rate : 0;

        (void)snprintf(text, sizeof(text), "%s  %s/s  %s left", bytes_format(done, size),
                       bytes_format((uint64_t)rate, speed),
                       timespan_format((usec_t)(remaining * (double)USEC_PER_SEC), left));
        fprintf(progress->stream, "\r%s %3.0f%% ", progress->label, fraction * 100);
        if (columns >= COLUMNS_WANTED)
                fprintf(progress->stream, "[%s] %s\033[K",
                        progress_bar(fraction, BAR_WIDTH, terminal_is_ascii(), bar), text);
        else /* a line that wraps can not be drawn over */
                fprintf(progress->stream, "%.*s\033[K", MAX_OF(columns - used, 0), text);
        fflush(progress->stream);
        progress->drawn = now;
}

void progress_start(Progress *progress, FILE *stream, const char *label, uint64_t total)
{
        *progress = (Progress) {
                .stream = stream,
                .label = label,
                .total = total,
                .started = now_boottime(),
                .terminal = isatty(fileno(stream)),
        };
        progress->drawn = progress->started; /* at once there is no speed to show */
}

void progress_update(Progress *progress, uint64_t done)
{
        usec_t now;

        if (!progress->terminal)
                return;
        now = now_boottime();
        if (now - progress->drawn >= DRAW_INTERVAL)
                progress_draw(progress, done, now);
}

void progress_finish(Progress *progress, uint64_t done)
{
        if (!progress->terminal)
                return;
        progress_draw(progress, done, now_boottime());
        fputc('\n', progress->stream);
}
