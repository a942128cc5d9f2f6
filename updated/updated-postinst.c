/*
 * Runs one program with the slot that was just written mounted read-only: the image's own postinst, or a hook of the
 * administrator. What it runs sees the host's files, but no disk, and can neither mount nor make a device; it ends with
 * its process, whatever it has started. Started by updated.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/log.h"
#include "base/process.h"
#include "base/program.h"
#include "base/text.h"
#include "slot-mount.h"

#define EXIT_CHILD 127

static const char *arg_target;
static uint64_t arg_offset, arg_size;
static const char *arg_device = "";
static const char *arg_directory;
static bool arg_lab;

/* The nodes that programs can not do without; none of them is a disk. */
static const char *const nodes[] = { "null", "zero", "full", "random", "urandom" };

static const struct {
        const char *name, *target;
} links[] = {
        { "fd", "/proc/self/fd" },
        { "stdin", "/proc/self/fd/0" },
        { "stdout", "/proc/self/fd/1" },
        { "stderr", "/proc/self/fd/2" },
        { "log", "/run/systemd/journal/dev-log" },
};

/* Files belong to it, users can be changed; nothing of what would lead to a disk. */
static const unsigned capabilities[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,
                                         CAP_KILL,  CAP_SETGID,       CAP_SETUID };

static int node_bind(const char *name)
{
        _cleanup_free_ char *from = NULL, *to = NULL;
        _cleanup_close_ int fd = -1;

        if (text_format(&from, "/dev/%s", name) < 0
            || text_format(&to, "%s/dev/%s", arg_directory, name) < 0)
                return -ENOMEM;
        fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        return RET_ERRNO(mount(from, to, NULL, MS_BIND, NULL));
}

/* A /dev without disks, moved over the host's. */
static int devices_hide(void)
{
        _cleanup_free_ char *dev = NULL;
        int r = 0;

        if (text_format(&dev, "%s/dev", arg_directory) < 0)
                return -ENOMEM;
        if (mkdir(dev, 0755) < 0
            || mount("tmpfs", dev, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755,size=1m") < 0)
                return -errno;

        for (size_t i = 0; i < ELEMENTSOF(nodes) && r >= 0; i++)
                r = node_bind(nodes[i]);
        for (size_t i = 0; i < ELEMENTSOF(links) && r >= 0; i++) {
                _cleanup_free_ char *path = NULL;

                r = text_format(&path, "%s/%s", dev, links[i].name);
                if (r >= 0)
                        r = RET_ERRNO(symlink(links[i].target, path));
        }
        return r < 0 ? r : RET_ERRNO(mount(dev, "/dev", NULL, MS_MOVE, NULL));
}

/* What is mounted in here is seen by nobody outside, and gone with the last process. */
static int namespace_enter(void)
{
        if (unshare(CLONE_NEWNS | CLONE_NEWPID) < 0)
                return -errno;
        /* The / of a chroot is no mount point: nothing could be kept from the host's other mounts. */
        if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return errno == EINVAL ? -EACCES : -errno;
        return RET_ERRNO(
                mount("tmpfs", arg_directory, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m"));
}

/* What the programs find. */
typedef struct Place {
        bool own;    /* mounts, /dev and process ids are not the host's */
        char *type;  /* of the slot's file system; NULL: there is none */
        char *where; /* it is mounted there; NULL: it is not */
} Place;

static void place_done(Place *place)
{
        free(place->type);
        free(place->where);
}

static int place_mount(Place *place, const SlotImage *image)
{
        int r;

        r = namespace_enter();
        if (r < 0)
                return r;
        place->own = true;
        if (!place->type)
                return 0;

        r = text_format(&place->where, "%s/slot", arg_directory);
        if (r >= 0)
                r = RET_ERRNO(mkdir(place->where, 0755));
        if (r >= 0)
                r = slot_image_mount(image, place->type, place->where);
        if (r < 0)
                text_clear(&place->where);
        return r;
}

/* In a lab nobody needs to be root. */
static bool error_is_of_rights(int error)
{
        return error == -EPERM || error == -EACCES || error == -ENOENT;
}

static int place_prepare(Place *place, int target, bool hook)
{
        const SlotImage image = { .fd = target, .offset = arg_offset, .size = arg_size };
        int r;

        r = slot_image_probe(&image, &place->type);
        if (r < 0)
                return log_error_errno(r, "looking for the file system of the new slot: %m");
        if (!place->type && !hook)
                return 0;

        r = place_mount(place, &image);
        if (r < 0 && arg_lab && error_is_of_rights(r)) {
                printf("the new slot can not be mounted here: %s\n", strerror(-r));
                return 0;
        }
        if (r == -EEXIST)
                return log_error_return(r,
                                        "mounting the %s of the new slot: the running system has "
                                        "one with the same UUID; POSTINST=no in update.conf "
                                        "passes the postinst over",
                                        place->type);
        if (r < 0)
                return log_error_errno(r, "mounting the %s of the new slot: %m",
                                       place->type ? place->type : "surroundings");
        return 0;
}

static int fd_path(int fd, char path[static PATH_MAX])
{
        char link[sizeof("/proc/self/fd/") + DECIMAL_MAX];
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd); /* fits */
        n = readlink(link, path, PATH_MAX - 1);
        if (n < 0)
                return -errno;
        path[n] = 0;
        return 0;
}

/*
 * The image's own program. Links in the image stay in the image, whatever they say: its root is the root for them.
 * Returns 1, or 0 when it has none.
 */
static int postinst_find(const char *where, char **ret)
{
        char path[PATH_MAX], top[PATH_MAX];
        _cleanup_close_ int root = -1, fd = -1;
        struct stat status;
        int r;

        root = open(where, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
                return -errno;
        if (fstatat(root, "postinst", &status, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        fd = slot_image_open(root, "postinst");
        if (fd < 0)
                return fd;
        if (fstat(fd, &status) < 0)
                return -errno;
        if (!S_ISREG(status.st_mode) || !(status.st_mode & 0111))
                return -EACCES;

        r = fd_path(root, top);
        if (r >= 0)
                r = fd_path(fd, path);
        if (r >= 0 && !after_prefix(path, top))
                r = -EXDEV;
        if (r >= 0)
                r = text_set(ret, path);
        return r < 0 ? r : 1;
}

static int privileges_drop(void)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {}, now[2] = {};
        uint32_t kept = 0;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        if (syscall(SYS_capget, &header, now) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(capabilities); i++)
                kept |= UINT32_C(1) << capabilities[i]; /* all of them are below 32 */
        data[0].effective = data[0].permitted = now[0].permitted & kept;
        return RET_ERRNO((int)syscall(SYS_capset, &header, data));
}

static _noreturn_ void program_exec(const char *const *arguments)
{
        int r = privileges_drop();

        if (r >= 0) {
                (void)signal(SIGTERM, SIG_DFL);
                (void)close_range(STDERR_FILENO + 1, ~0U, 0); /* nothing is left to leak */
                (void)execv(arguments[0], (char *const *)arguments);
                r = -errno;
        }
        log_error_errno(r, "starting %s: %m", arguments[0]);
        _exit(EXIT_CHILD);
}

static int status_of(int status)
{
        return WIFEXITED(status) ? WEXITSTATUS(status) : PROCESS_STATUS_SIGNAL + WTERMSIG(status);
}

/* Waits for one child, and for all that are left to us meanwhile. Returns its exit status. */
static int child_wait(pid_t pid)
{
        int status;

        for (;;) {
                pid_t ended = waitpid(-1, &status, 0);

                if (ended == pid)
                        return status_of(status);
                if (ended < 0 && errno != EINTR)
                        return EXIT_CHILD;
        }
}

/* The first process of the new pid namespace: when it ends, the kernel ends all others. */
static _noreturn_ void init_run(const char *const *arguments)
{
        pid_t pid;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0
            || mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) {
                log_error_errno(errno, "a /proc of its own: %m");
                _exit(EXIT_CHILD);
        }
        pid = fork();
        if (pid == 0)
                program_exec(arguments);
        _exit(pid < 0 ? EXIT_CHILD : child_wait(pid));
}

/* SIGTERM is for the program; we wait for what it makes of it. */
static int program_start(const Place *place, const char *const *arguments)
{
        pid_t pid;

        if (place->where && setenv("SLUICE_MOUNT", place->where, 1) < 0)
                return log_error_errno(errno, "the environment: %m");
        (void)fflush(stdout);
        if (!place->own)
                program_exec(arguments);
        (void)signal(SIGTERM, SIG_IGN); /* can not fail */
        pid = fork();
        if (pid < 0)
                return log_error_errno(errno, "starting %s: %m", arguments[0]);
        if (pid == 0)
                init_run(arguments);
        return child_wait(pid);
}

/* Returns 1, or 0 when there is nothing to run. */
static int program_choose(const Place *place, const char *hook, char **ret)
{
        int r;

        if (hook)
                return text_set(ret, hook) < 0 ? -ENOMEM : 1;
        if (!place->where) {
                printf("%s\n", place->type ? "so its postinst is passed over"
                                           : "the image holds no file system that is known here, "
                                             "so it has no postinst");
                return 0;
        }
        r = postinst_find(place->where, ret);
        if (r == 0)
                printf("the image has no postinst\n");
        if (r < 0)
                return log_error_errno(r, "the postinst of the image: %m");
        return r;
}

static int place_run(Place *place, int target, const char *hook)
{
        _cleanup_free_ char *program = NULL;
        int r;

        r = place_prepare(place, target, hook);
        if (r >= 0)
                r = program_choose(place, hook, &program);
        if (r <= 0)
                return r;
        r = place->own ? devices_hide() : 0;
        if (r < 0)
                return log_error_errno(r, "a /dev without disks: %m");
        return program_start(place, (const char *const[]) { program, arg_device, NULL });
}

static int run(int argc, char **argv)
{
        _cleanup_(place_done) Place place = {};
        _cleanup_close_ int target = -1;
        int r;

        if (!arg_target || !arg_directory || arg_size == 0)
                return program_usage("--target, --size and --directory are wanted");
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) /* nobody would wait for an answer any more */
                return log_error_errno(errno, "tying myself to updated: %m");
        target = open(arg_target, O_RDONLY | O_CLOEXEC);
        if (target < 0)
                return log_error_errno(errno, "opening the new slot %s: %m", arg_target);

        r = place_run(&place, target, argc > 1 ? argv[1] : NULL);
        if (place.own) {
                /* Whose next child is the first of a pid namespace can make no thread, as a
                 * sanitizer would at exit(). */
                (void)fflush(stdout);
                _exit(r < 0 ? EXIT_REFUSED : r);
        }
        return r;
}

int main(int argc, char **argv)
{
        static const Option options[] = {
                { "target", 0, OPTION_TEXT, &arg_target, "FILE", "what holds the new slot", 0 },
                { "offset", 0, OPTION_NUMBER, &arg_offset, "BYTES", "where in it", 0 },
                { "size", 0, OPTION_NUMBER, &arg_size, "BYTES", "how much of it", 0 },
                { "device", 0, OPTION_TEXT, &arg_device, "NAME", "its name, for the program", 0 },
                { "directory", 0, OPTION_TEXT, &arg_directory, "DIR",
                  "an empty one, to mount things on", 0 },
                { "lab", 0, OPTION_FLAG, &arg_lab, NULL,
                  "without the right to mount, go on without", 0 },
                {},
        };
        static const Program program = {
                .name = "updated-postinst",
                .synopsis = "[OPTION...] [PROGRAM]",
                .summary =
                        "Started by updated: runs PROGRAM, or the postinst of the new slot, with the\n"
                        "slot mounted read-only where SLUICE_MOUNT says.",
                .options = options,
                .run = run,
                .max_arguments = 1,
        };

        return program_run(&program, argc, argv);
}
