#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

static struct {
        const char *program;
        int max_level;
        bool journal; /* stderr is connected to the journal */
        char last[LOG_LAST_MAX];
} arg_log = { .program = "sluice", .max_level = LOG_INFO };

/* A shell within a unit hands JOURNAL_STREAM on to programs whose stderr is a terminal or a file. */
static bool stderr_is_journal(void)
{
        const char *stream = getenv("JOURNAL_STREAM");
        _cleanup_free_ char *ours = NULL;
        struct stat st;

        if (is_empty(stream) || fstat(STDERR_FILENO, &st) < 0)
                return false;
        if (text_format(&ours, "%llu:%llu", (unsigned long long)st.st_dev,
                        (unsigned long long)st.st_ino)
            < 0)
                return false;
        return streq(stream, ours);
}

void log_open(const char *program)
{
        arg_log.program = program;
        arg_log.journal = stderr_is_journal();
}

const char *log_last_error(void)
{
        return arg_log.last;
}

const char *log_program(void)
{
        return arg_log.program;
}

void log_set_max_level(int level)
{
        arg_log.max_level = level;
}

void log_valist(int level, const char *format, va_list arguments)
{
        _cleanup_free_ char *text = NULL;

        if (level > arg_log.max_level)
                return;
        if (text_vformat(&text, format, arguments) < 0)
                return;

        if (level <= LOG_ERR)
                (void)snprintf(arg_log.last, sizeof(arg_log.last), "%s", text); /* cut is fine */

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
        log_valist(level, format, arguments);
        va_end(arguments);
}

int log_full_errno(int level, int error, const char *format, ...)
{
        va_list arguments;

        errno = abs(error);
        va_start(arguments, format);
        log_valist(level, format, arguments);
        va_end(arguments);

        return -abs(error);
}
