#include <stdio.h>

#include "base/log.h"
#include "base/text.h"

static struct {
        const char *program;
        int max_level;
        bool journal; /* stderr is connected to the journal */
} arg_log = { .program = "sluice", .max_level = LOG_INFO };

void log_open(const char *program)
{
        arg_log.program = program;
        arg_log.journal = !is_empty(getenv("JOURNAL_STREAM"));
}

const char *log_program(void)
{
        return arg_log.program;
}

void log_set_max_level(int level)
{
        arg_log.max_level = level;
}

_printf_(2, 0) static void log_write(int level, const char *format, va_list arguments)
{
        _cleanup_free_ char *text = NULL;

        if (level > arg_log.max_level)
                return;
        if (text_vformat(&text, format, arguments) < 0)
                return;

        /* One call, so that lines of several processes on one terminal do not mix. */
        if (arg_log.journal)
                fprintf(stderr, "<%d>%s\n", level, text);
        else
                fprintf(stderr, "%s: %s\n", arg_log.program, text);
}

void log_full(int level, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        log_write(level, format, arguments);
        va_end(arguments);
}

int log_full_errno(int level, int error, const char *format, ...)
{
        va_list arguments;

        errno = abs(error);
        va_start(arguments, format);
        log_write(level, format, arguments);
        va_end(arguments);

        return -abs(error);
}
