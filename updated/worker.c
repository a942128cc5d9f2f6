#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buffer.h"
#include "base/io.h"
#include "base/text.h"
#include "worker.h"

#define EXIT_CHILD      127                   /* could not even be started */
#define BESIDE_SIZE_MAX ((rlim_t)(256 * MIB)) /* of what no plan has a size for: checkpoint, log */

struct Worker {
        sd_event_source *child;
        sd_event_source *pipe;
        int pipe_fd;
        Buffer line;
        bool ended, closed; /* the process is gone; the pipe is empty and closed */
        bool done;          /* it said WORKER_STAGE_DONE */
        int status;         /* its exit status, or 128 + signal */
        UpdateFailure failure;
        WorkerFacts facts;
        WorkerHooks hooks;
};

static const char *const worker_stage_table[_WORKER_STAGE_MAX] = {
        [WORKER_STAGE_FETCH] = "fetch",
        [WORKER_STAGE_VERIFY] = "verify",
        [WORKER_STAGE_DONE] = "done",
};
DEFINE_STRING_TABLE(worker_stage, WorkerStage);

/* A file in memory with that text, to be read from its start. */
static int memory_file(const char *name, const char *text)
{
        _cleanup_close_ int fd = -1;
        int r;

        fd = RET_ERRNO(memfd_create(name, MFD_CLOEXEC));
        if (fd < 0)
                return fd;
        r = write_full(fd, text, strlen(text));
        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0)
                return -errno;

        return TAKE_FD(fd);
}

typedef struct WorkerUser {
        bool change;
        uid_t uid;
        gid_t gid;
} WorkerUser;

static WorkerUser worker_user_find(const char *name)
{
        const struct passwd *entry;

        if (is_empty(name) || geteuid() != 0)
                return (WorkerUser) {};
        entry = getpwnam(name);
        if (!entry)
                return (WorkerUser) {};
        return (WorkerUser) { .change = true, .uid = entry->pw_uid, .gid = entry->pw_gid };
}

/* What the child gets as 0, 1, 3, 4 and perhaps 5, 6 and 7; 0: not there. */
typedef struct WorkerFds {
        int plan, report, target, keys, payload, kernel, checkpoint;
} WorkerFds;

/* First out of the way of the numbers they are to get, then there. Only async-signal-safe calls. */
static int child_place_fds(const WorkerFds *fds)
{
        const struct {
                int from, to;
        } places[] = {
                { fds->plan, STDIN_FILENO },
                { fds->report, STDOUT_FILENO },
                { fds->target, WORKER_FD_TARGET },
                { fds->keys, WORKER_FD_KEYS },
                { fds->payload, WORKER_FD_PAYLOAD },
                { fds->kernel, WORKER_FD_KERNEL },
                { fds->checkpoint, WORKER_FD_CHECKPOINT },
        };
        int high[ELEMENTSOF(places)] = {};

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                if (places[i].from <= 0)
                        continue;
                high[i] = fcntl(places[i].from, F_DUPFD_CLOEXEC, WORKER_FD_CHECKPOINT + 1);
                if (high[i] < 0)
                        return -errno;
        }
        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                int r = high[i] > 0 ? dup2(high[i], places[i].to) : close(places[i].to);

                if (r < 0 && errno != EBADF)
                        return -errno;
        }

        return RET_ERRNO(close_range(WORKER_FD_CHECKPOINT + 1, ~0U, 0));
}

/*
 * Nothing that it writes becomes larger than what its plan has room for: it must not fill a disk. The same numbers
 * let it refuse a payload in words, before the first byte; where it does not, its write fails.
 */
static int child_limit_files(const WorkerParameters *parameters)
{
        rlim_t most = MAX_OF((rlim_t)parameters->kernel_size_max, BESIDE_SIZE_MAX);
        struct stat status;

        if (fstat(parameters->target_fd, &status) < 0)
                return -errno;
        if (S_ISREG(status.st_mode))
                most = MAX_OF(most, (rlim_t)(status.st_size > 0 ? (uint64_t)status.st_size
                                                                : PLAN_FILE_MAX));
        if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
                return -errno;
        return RET_ERRNO(prlimit(0, RLIMIT_FSIZE, &(struct rlimit) { most, most }, NULL));
}

static int child_drop_privileges(const WorkerUser *user)
{
        if (user->change
            && (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0
                || setresuid(user->uid, user->uid, user->uid) < 0))
                return -errno;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        /* After the change of user, which clears it. */
        return RET_ERRNO(prctl(PR_SET_PDEATHSIG, SIGKILL));
}

static _noreturn_ void child_run(const WorkerParameters *parameters, const WorkerFds *fds,
                                 const WorkerUser *user, pid_t parent)
{
        const char *const argv[] = { "updated-worker", NULL };
        sigset_t none;

        if (sigemptyset(&none) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0
            || child_limit_files(parameters) < 0 || child_place_fds(fds) < 0
            || child_drop_privileges(user) < 0 || getppid() != parent)
                _exit(EXIT_CHILD);
        execv(parameters->program, (char *const *)argv);
        _exit(EXIT_CHILD);
}

static int worker_take_number(uint64_t *target, const char *value)
{
        return text_to_u64(value, INT64_MAX, target) < 0 ? -EBADMSG : 0;
}

static int worker_take_image_sha256(Worker *worker, const char *value)
{
        int r;

        r = hex_decode(value, worker->facts.image_sha256, SHA256_SIZE);
        worker->facts.hashed = r >= 0;
        return r;
}

static int worker_take_verdict(Worker *worker, const char *value, RetriesVerdict verdict)
{
        uint64_t url;

        if (text_to_u64(value, OMAHA_URLS_MAX - 1, &url) < 0)
                return -EBADMSG;
        worker->facts.urls[url] |= (uint8_t)verdict;
        return 0;
}

/* A line of the worker is a foreign text as well: bounded, printable, of known words. */
static int worker_take_line(Worker *worker, char *line)
{
        const char *value;
        uint64_t bytes;

        if (!text_is_utf8(line, strlen(line)))
                return -EBADMSG;
        if ((value = after_prefix(line, "SIZE=")))
                return worker_take_number(&worker->facts.size, value);
        if ((value = after_prefix(line, "RESUMED=")))
                return worker_take_number(&worker->facts.resumed, value);
        if ((value = after_prefix(line, "CONTINUED=")))
                return worker_take_number(&worker->facts.continued, value);
        if ((value = after_prefix(line, "URL_GOOD=")))
                return worker_take_verdict(worker, value, RETRIES_GOOD);
        if ((value = after_prefix(line, "URL_FAILED=")))
                return worker_take_verdict(worker, value, RETRIES_FAILED);
        if ((value = after_prefix(line, "URL_REFUSED=")))
                return worker_take_verdict(worker, value, RETRIES_REFUSED);
        if ((value = after_prefix(line, "IMAGE=")))
                return worker_take_number(&worker->facts.image, value);
        if ((value = after_prefix(line, "IMAGE_SHA256=")))
                return worker_take_image_sha256(worker, value);
        if ((value = after_prefix(line, "MADE=")))
                return worker_take_number(&worker->facts.made, value);
        if ((value = after_prefix(line, "EXPIRES=")))
                return worker_take_number(&worker->facts.expires, value);
        if ((value = after_prefix(line, "VERSION=")))
                return strlen(value) <= OMAHA_VALUE_MAX ? text_set(&worker->facts.version, value)
                                                        : -EBADMSG;
        if ((value = after_prefix(line, "PROGRESS="))) {
                if (text_to_u64(value, INT64_MAX, &bytes) < 0)
                        return -EBADMSG;
                worker->hooks.on_progress(bytes, worker->hooks.userdata);
                return 0;
        }
        if ((value = after_prefix(line, "STAGE="))) {
                WorkerStage stage = worker_stage_from_string(value);

                if (stage < 0)
                        return -EBADMSG;
                worker->done |= stage == WORKER_STAGE_DONE;
                worker->hooks.on_stage(stage, worker->hooks.userdata);
                return 0;
        }
        if (after_prefix(line, "ERROR=")) {
                char *rest = line + strlen("ERROR="), *word = strsep(&rest, " ");
                UpdateErrorCode code = update_error_from_string(word);

                if (code <= UPDATE_ERROR_NONE || !rest)
                        return -EBADMSG;
                (void)update_failure_set(&worker->failure, 0, code, "%s", rest);
                return 0;
        }

        return -EBADMSG;
}

/* Takes the whole lines out of the buffer; what is left is the beginning of the next one. */
static int worker_take_lines(Worker *worker)
{
        Buffer *buffer = &worker->line;
        char *end;

        while (buffer->size > 0 && (end = memchr(buffer->data, '\n', buffer->size))) {
                size_t n = (size_t)(end - buffer->data) + 1;
                int r;

                *end = 0;
                r = strlen(buffer->data) + 1 == n ? worker_take_line(worker, buffer->data)
                                                  : -EBADMSG;
                if (r < 0)
                        return r;
                memmove(buffer->data, buffer->data + n, buffer->size - n);
                buffer->size -= n;
        }

        return 0;
}

static void worker_end_if_over(Worker *worker)
{
        bool good;

        if (!worker->ended || !worker->closed)
                return;

        good = worker->done && worker->status == 0 && worker->failure.code == UPDATE_ERROR_NONE;
        if (!good && worker->failure.code == UPDATE_ERROR_NONE)
                (void)update_failure_set(
                        &worker->failure, 0, UPDATE_ERROR_GENERIC,
                        worker->status == EXIT_CHILD
                                ? "the worker could not be started (status %d); is "
                                  "updated-worker installed?"
                                : "the worker ended with status %d without a result",
                        worker->status);
        worker->hooks.on_end(good ? 0 : -EIO, &worker->failure, worker->hooks.userdata);
}

static int on_pipe(sd_event_source *source, int fd, _unused_ uint32_t revents, void *userdata)
{
        Worker *worker = userdata;
        char chunk[4096];
        ssize_t n = read_some(fd, chunk, sizeof(chunk));
        int r = n < 0 ? (int)n : 0;

        if (n > 0)
                r = buffer_append(&worker->line, chunk, (size_t)n);
        if (n > 0 && r >= 0)
                r = worker_take_lines(worker);
        if (n > 0 && r >= 0)
                return 0;

        if (r < 0 && worker->failure.code == UPDATE_ERROR_NONE)
                (void)update_failure_set(&worker->failure, 0, UPDATE_ERROR_GENERIC,
                                         "reading the reports of the worker: %s", strerror(-r));
        if (r < 0)
                (void)sd_event_source_send_child_signal(worker->child, SIGKILL, NULL,
                                                        0); /* or it is gone */
        worker->closed = true;
        (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
        worker->pipe_fd = close_fd(worker->pipe_fd);
        worker_end_if_over(worker);
        return 0;
}

static int on_child(_unused_ sd_event_source *source, const siginfo_t *info, void *userdata)
{
        Worker *worker = userdata;

        worker->ended = true;
        worker->status = info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
        worker_end_if_over(worker);
        return 0;
}

const WorkerFacts *worker_facts(const Worker *worker)
{
        return &worker->facts;
}

Worker *worker_free(Worker *worker)
{
        if (!worker)
                return NULL;

        sd_event_source_disable_unref(worker->pipe);
        (void)close_fd(worker->pipe_fd);
        sd_event_source_disable_unref(worker->child); /* owns the process: kills and reaps it */
        buffer_done(&worker->line);
        update_failure_done(&worker->failure);
        free(worker->facts.version);
        free(worker);
        return NULL;
}

static int worker_watch(Worker *worker, sd_event *event, pid_t pid)
{
        int r;

        r = sd_event_add_child(event, &worker->child, pid, WEXITED, on_child, worker);
        if (r < 0) {
                (void)kill(pid, SIGKILL); /* nobody would look after it */
                (void)waitpid(pid, NULL, 0);
                return r;
        }
        r = sd_event_source_set_child_process_own(worker->child, true);
        if (r < 0)
                return r;
        (void)sd_event_source_set_description(worker->child, "worker"); /* for debugging only */

        return sd_event_add_io(event, &worker->pipe, worker->pipe_fd, EPOLLIN, on_pipe, worker);
}

static int worker_spawn(Worker *worker, sd_event *event, const WorkerParameters *parameters)
{
        _cleanup_close_ int plan = -1, keys = -1, report = -1;
        WorkerUser user = worker_user_find(parameters->user);
        pid_t parent = getpid(), pid;
        int ends[2], r;

        plan = memory_file("plan", parameters->plan);
        if (plan < 0)
                return plan;
        keys = memory_file("keys", parameters->keys);
        if (keys < 0)
                return keys;
        r = RET_ERRNO(pipe2(ends, O_CLOEXEC));
        if (r < 0)
                return r;
        worker->pipe_fd = ends[0];
        report = ends[1];

        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                child_run(parameters,
                          &(WorkerFds) { plan, report, parameters->target_fd, keys,
                                         parameters->payload_fd, parameters->kernel_fd,
                                         parameters->checkpoint_fd },
                          &user, parent);

        return worker_watch(worker, event, pid);
}

int worker_start(sd_event *event, const WorkerParameters *parameters, const WorkerHooks *hooks,
                 Worker **ret)
{
        _cleanup_(worker_free_p) Worker *worker = calloc(1, sizeof(Worker));
        int r;

        if (!worker)
                return -ENOMEM;

        worker->pipe_fd = -1;
        worker->line = BUFFER_MAX(WORKER_LINE_MAX);
        worker->hooks = *hooks;
        r = worker_spawn(worker, event, parameters);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(worker);
        return 0;
}
