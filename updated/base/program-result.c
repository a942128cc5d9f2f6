#include <fcntl.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/program-internal.h"

#define RESULT_MAX 8192

static bool arg_answered = false; /* see program_answered() */

void program_answered(void)
{
        arg_answered = true;
}

void program_streams_open(void)
{
        /* The wrong direction, so that using one of them is an error as before. */
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
                        (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static int result_format(int status, char **ret)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(RESULT_MAX);
        char why[LOG_LAST_MAX];
        int r;

        if (status == EXIT_DONE)
                r = buffer_append_text(&buffer, "{\"done\":true}");
        else {
                (void)snprintf(why, sizeof(why), "%s", log_last_error());
                text_make_plain(why); /* a file may have any bytes in its name */
                r = buffer_append_text(&buffer, "{\"done\":false,\"error\":");
                if (r >= 0)
                        r = buffer_append_json(&buffer, why);
                if (r >= 0)
                        r = buffer_append_text(&buffer, "}");
        }

        return r < 0 ? r : buffer_take_text(&buffer, ret, NULL);
}

int program_finish(bool json, int status)
{
        _cleanup_free_ char *text = NULL;
        int r = 0;

        if (status == EXIT_INTERRUPTED && !*log_last_error())
                json = false; /* what goes on until Ctrl-C has not failed */
        if (json && !arg_answered && result_format(status, &text) >= 0)
                printf("%s\n", text);
        arg_answered = false;

        if (fflush(stdout) != 0)
                r = -errno;
        else if (ferror(stdout))
                r = -EIO;
        if (r == 0)
                return status;

        __fpurge(stdout); /* exit() shall not try it again */
        clearerr(stdout);
        (void)log_error_errno(r, "writing to standard output: %m");
        return status == EXIT_DONE ? EXIT_REFUSED : status;
}
