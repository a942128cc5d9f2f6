#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/process.h"
#include "base/text.h"

#define CHUNK 256

struct Process {
        pid_t pid;
        sd_event_source *child, *output, *timer;
        int fd; /* what it writes */
        char line[PROCESS_LINE_MAX];
        size_t n_line;
        usec_t time_limit;
        bool late;
        void (*on_line)(const char *line, void *userdata);
        void (*on_end)(int status, const char *why, void *userdata);
        void *userdata;
};

static Process *process_free(Process *p)
{
        sd_event_source_disable_unref(p->child);
        sd_event_source_disable_unref(p->output);
        sd_event_source_disable_unref(p->timer);
        close_fd(p->fd);
        free(p);
        return NULL;
}
DEFINE_CLEANUP(Process *, process_free);

Process *process_kill(Process *p)
{
        if (!p)
                return NULL;

        /* The group has the pid of its first process, which nobody has waited for: it is still
         * ours. */
        (void)kill(-p->pid, SIGKILL);
        p->child = sd_event_source_disable_unref(p->child);
        while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return process_free(p);
}

static void process_tell_line(Process *p)
{
        char shown[PROCESS_LINE_MAX];

        foreign_text(p->line, p->n_line, shown, sizeof(shown));
        if (p->n_line > 0 && p->on_line)
                p->on_line(shown, p->userdata);
        p->n_line = 0;
}

/* Returns false when there is nothing more now: *ret_end then tells whether there ever will be. */
static bool process_read(Process *p, bool *ret_end)
{
        char chunk[CHUNK];
        ssize_t n = read(p->fd, chunk, sizeof(chunk));

        *ret_end = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
        for (ssize_t i = 0; i < n; i++)
                if (chunk[i] == '\n')
                        process_tell_line(p);
                else if (p->n_line < sizeof(p->line))
                        p->line[p->n_line++] = chunk[i];
        return n > 0;
}

static int on_output(_unused_ sd_event_source *source, _unused_ int fd, _unused_ uint32_t revents,
                     void *userdata)
{
        Process *p = userdata;
        bool end;

        (void)process_read(p, &end); /* once: others have their turn, too */
        if (end)
                p->output = sd_event_source_disable_unref(p->output);
        return 0;
}

/* Returns its status, and why it is not 0. */
static int end_text(const Process *p, const siginfo_t *info, char why[static PROCESS_LINE_MAX])
{
        bool exited = info->si_code == CLD_EXITED;
        char span[TIMESPAN_MAX];

        if (p->late)
                (void)snprintf(why, PROCESS_LINE_MAX, "it took longer than %s",
                               timespan_format(p->time_limit, span)); /* fits */
        else if (!exited)
                (void)snprintf(why, PROCESS_LINE_MAX, "killed by signal %d",
                               info->si_status); /* fits */
        else
                (void)snprintf(why, PROCESS_LINE_MAX, "exit status %d", info->si_status); /* fits */

        if (p->late)
                return -ETIMEDOUT;
        return exited ? info->si_status : PROCESS_STATUS_SIGNAL + info->si_status;
}

static int on_child(_unused_ sd_event_source *source, const siginfo_t *info, void *userdata)
{
        _cleanup_(process_free_p) Process *p = userdata;
        char why[PROCESS_LINE_MAX];
        bool end;
        int status;

        /* Its children may still have the pipe open: only what is in it now is read. */
        for (size_t left = 4 * KIB; left > 0 && process_read(p, &end); left -= CHUNK)
                ;
        process_tell_line(p);
        (void)kill(-p->pid, SIGKILL); /* usually nobody is left */
        status = end_text(p, info, why);
        p->on_end(status, status == 0 ? NULL : why, p->userdata);
        return 0;
}

static int on_late(sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Process *p = userdata;
        int r;

        (void)kill(-p->pid, p->late ? SIGKILL : SIGTERM); /* its end is told in any case */
        if (p->late)
                return 0;
        p->late = true;
        r = sd_event_source_set_time_relative(source, PROCESS_GRACE);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Own process group, nothing blocked, output into the pipe. */
static int process_spawn(const ProcessRequest *request, int output, pid_t *ret)
{
        posix_spawn_file_actions_t files;
        posix_spawnattr_t attributes;
        sigset_t none;
        int r;

        r = posix_spawn_file_actions_init(&files);
        if (r != 0)
                return -r;
        r = posix_spawnattr_init(&attributes);
        if (r != 0) {
                (void)posix_spawn_file_actions_destroy(&files); /* can not fail */
                return -r;
        }

        (void)sigemptyset(&none); /* can not fail */
        r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
        if (r == 0)
                r = posix_spawnattr_setsigmask(&attributes, &none);
        if (r == 0)
                r = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY,
                                                     0);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
        if (r == 0)
                r = posix_spawnp(ret, request->arguments[0], &files, &attributes,
                                 (char *const *)request->arguments,
                                 request->environment ? (char *const *)request->environment
                                                      : environ);
        (void)posix_spawnattr_destroy(&attributes); /* can not fail */
        (void)posix_spawn_file_actions_destroy(&files);
        return -r;
}

/* sd-event must be the only one who waits for children. */
static int child_signal_block(void)
{
        sigset_t set;

        if (sigemptyset(&set) < 0 || sigaddset(&set, SIGCHLD) < 0)
                return -errno;
        return RET_ERRNO(sigprocmask(SIG_BLOCK, &set, NULL));
}

static int process_watch(Process *p, sd_event *event)
{
        int r;

        r = sd_event_add_child(event, &p->child, p->pid, WEXITED, on_child, p);
        if (r >= 0)
                r = sd_event_add_io(event, &p->output, p->fd, EPOLLIN, on_output, p);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &p->timer, CLOCK_MONOTONIC, p->time_limit, 0,
                                               on_late, p);
        return r;
}

int process_start(sd_event *event, const ProcessRequest *request, Process **ret)
{
        _cleanup_(process_free_p) Process *p = calloc(1, sizeof(Process));
        _cleanup_close_ int output = -1;
        int fds[2], r;

        if (!p)
                return -ENOMEM;
        *p = (Process) {
                .fd = -1,
                .time_limit = request->time_limit,
                .on_line = request->on_line,
                .on_end = request->on_end,
                .userdata = request->userdata,
        };

        r = child_signal_block();
        if (r < 0)
                return r;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        p->fd = fds[0];
        output = fds[1];
        if (fcntl(p->fd, F_SETFL, O_NONBLOCK) < 0) /* of our end only */
                return -errno;

        r = process_spawn(request, output, &p->pid);
        if (r < 0)
                return r;
        r = process_watch(p, event);
        if (r < 0) {
                process_kill(TAKE_PTR(p));
                return r;
        }

        *ret = TAKE_PTR(p);
        return 0;
}
