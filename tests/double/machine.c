/*
 * One host of the demo, without a virtual machine: what firmware, boot loader, init and logind do for it.
 * A boot picks the slot from the GPT, takes /usr from the filesystem in that slot, makes a new boot id,
 * starts a private D-Bus daemon, applies the cloud-config, starts updated and locksmithd. A call of
 * org.freedesktop.login1.Manager.Reboot stops all that and boots again. Everything it does is written as
 * JSON lines to a timeline, for the demo's proof.
 *
 * This is the only double of the demo; what it starts are the real programs.
 */
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-id128.h>

#include "base/bus.h"
#include "base/io.h"
#include "base/log.h"
#include "base/program.h"
#include "base/text.h"
#include "base/time-util.h"
#include "double/boot-loader.h"
#include "double/service.h"

#define LOGIN_NAME "org.freedesktop.login1"
#define FIRMWARE_TIME \
        (1500 * USEC_PER_MSEC) /* from shutdown to the boot loader: long enough to be seen */
#define RESTART_TIME (1 * USEC_PER_SEC) /* RestartSec= of the units */
#define BUS_TIME     (5 * USEC_PER_SEC) /* for the D-Bus daemon to listen */
#define BOOT_TRIES   4                  /* more slots than a disk has */

static const char *arg_root = NULL;
static const char *arg_disk = NULL;
static const char *arg_name = "host";
static const char *arg_programs = NULL;
static const char *arg_timeline = NULL;
static const char *arg_user_data = "/var/lib/coreos-install/user_data";

enum {
        SERVICE_BUS,
        SERVICE_UPDATED,
        SERVICE_LOCKSMITHD,
        _SERVICE_MAX,
};

typedef struct Machine {
        sd_event *event;
        sd_bus *bus;
        sd_event_source *power; /* the next boot, or the start of services that ended */
        Service services[_SERVICE_MAX];
        char *bus_address;
        bool up;
} Machine;

static int timeline_write(const char *event, const char *key, const char *value)
{
        _cleanup_free_ char *line = NULL, *text = NULL;
        _cleanup_close_ int fd = -1;
        json_t *record;

        record = json_pack("{sf ss ss ss*}", "time", (double)now_realtime() / (double)USEC_PER_SEC,
                           "host", arg_name, "event", event, key ? key : "detail", value);
        text = record ? json_dumps(record, JSON_COMPACT) : NULL;
        json_decref(record);
        if (!text || text_format(&line, "%s\n", text) < 0)
                return -ENOMEM;

        fd = RET_ERRNO(open(arg_timeline, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
        if (fd < 0)
                return fd;
        return write_full(fd, line, strlen(line));
}

/* Runs a program to its end. Returns its exit status, or -errno. */
static int run_wait(const char *const argv[])
{
        int status, log;
        pid_t pid = fork();

        if (pid < 0)
                return -errno;
        if (pid == 0) {
                log = root_open(arg_root, "/var/log/machine.log", O_WRONLY | O_CREAT | O_APPEND,
                                0644);
                if (log >= 0 && dup2(log, STDERR_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0)
                        execvp(argv[0], (char *const *)argv);
                _exit(127);
        }

        if (waitpid(pid, &status, 0) < 0)
                return -errno;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -EPROTO;
}

static int entry_remove(const char *path, _unused_ const struct stat *status, _unused_ int type,
                        _unused_ struct FTW *walk)
{
        return remove(path);
}

/* /run and /usr begin anew with every boot. */
static int directory_renew(const char *path)
{
        _cleanup_free_ char *full = NULL;
        int r;

        r = root_join(arg_root, path, &full);
        if (r < 0)
                return r;

        (void)nftw(full, entry_remove, 16, FTW_DEPTH | FTW_PHYS); /* not there at the first boot */
        r = RET_ERRNO(mkdir(full, 0755));
        return r == -EEXIST ? 0 : r;
}

/* /usr is what the filesystem in the slot holds; as nobody in particular we read it with debugfs. */
static int usr_take_from(const BootChoice *choice)
{
        _cleanup_free_ char *image = NULL, *request = NULL;
        int r;

        r = directory_renew("/usr");
        if (r < 0)
                return r;

        if (text_format(&image, "%s?offset=%llu", arg_disk, (unsigned long long)choice->offset) < 0
            || text_format(&request, "rdump /share %s/usr", arg_root) < 0)
                return -ENOMEM;

        r = run_wait((const char *[]) { "debugfs", "-R", request, image, NULL });
        if (r < 0)
                return r;

        r = root_open(arg_root, "/usr/share/coreos/release", O_RDONLY, 0);
        (void)close_fd(r);
        return r < 0 ? r : 0;
}

/* Firmware and boot loader: tries slots until one holds a filesystem, as a machine would by resetting. */
static int boot_loader_run(void)
{
        for (unsigned i = 0; i < BOOT_TRIES; i++) {
                _cleanup_(boot_choice_done) BootChoice choice = {};
                _cleanup_free_ char *cmdline = NULL;
                int r;

                r = boot_loader_choose(arg_disk, &choice);
                if (r < 0)
                        return log_error_errno(r, "%s: the boot loader found no slot to start: %m",
                                               arg_disk);

                r = usr_take_from(&choice);
                if (r < 0) {
                        (void)timeline_write("boot-failed", "slot", choice.label);
                        continue;
                }

                if (text_format(
                            &cmdline,
                            "BOOT_IMAGE=/flatcar/vmlinuz-a mount.usr=PARTUUID=%s rootflags=rw\n",
                            choice.part_uuid)
                    < 0)
                        return -ENOMEM;
                r = file_replace(arg_root, "/proc/cmdline", cmdline, strlen(cmdline), 0444);
                if (r < 0)
                        return log_error_errno(r, "%s: writing the kernel command line: %m",
                                               arg_root);
                return timeline_write("boot", "slot", choice.label);
        }

        return log_error_return(-ENODEV, "%s: no slot holds a system that starts", arg_disk);
}

static int boot_id_renew(void)
{
        _cleanup_free_ char *line = NULL;
        sd_id128_t id;
        int r;

        r = sd_id128_randomize(&id);
        if (r < 0)
                return r;
        if (text_format(&line, SD_ID128_UUID_FORMAT_STR "\n", SD_ID128_FORMAT_VAL(id)) < 0)
                return -ENOMEM;

        return file_replace(arg_root, "/proc/sys/kernel/random/boot_id", line, strlen(line), 0444);
}

static int on_service_ended(sd_event_source *source, const siginfo_t *info, void *userdata);

static int machine_start_service(Machine *machine, int which, const char *const argv[])
{
        return service_start(&machine->services[which], machine->event, arg_root,
                             machine->bus_address, argv, on_service_ended, machine);
}

static int daemons_start(Machine *machine)
{
        static const char *const programs[] = {
                [SERVICE_UPDATED] = "updated/updated",
                [SERVICE_LOCKSMITHD] = "locksmith/locksmithd",
        };
        int r;

        for (int i = SERVICE_UPDATED; i < _SERVICE_MAX; i++) {
                _cleanup_free_ char *program = NULL;

                if (machine->services[i].pid > 0)
                        continue;
                if (text_format(&program, "%s/%s", arg_programs, programs[i]) < 0)
                        return -ENOMEM;
                r = machine_start_service(machine, i,
                                          (const char *[]) { program, "--root", arg_root, NULL });
                if (r < 0)
                        return log_error_errno(r, "%s: starting it: %m", program);
        }

        return 0;
}

static int on_restart(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        return daemons_start(userdata);
}

static int machine_later(Machine *machine, usec_t delay, sd_event_time_handler_t handler)
{
        machine->power = sd_event_source_disable_unref(machine->power);
        return sd_event_add_time_relative(machine->event, &machine->power, CLOCK_MONOTONIC, delay,
                                          0, handler, machine);
}

static int on_service_ended(_unused_ sd_event_source *source, const siginfo_t *info, void *userdata)
{
        Machine *machine = userdata;

        for (int i = 0; i < _SERVICE_MAX; i++) {
                Service *service = &machine->services[i];

                if (service->pid != info->si_pid)
                        continue;
                service->pid = 0;
                if (!machine->up)
                        return 0;

                log_warning("%s: %s ended with status %d, see its log", arg_name, service->name,
                            info->si_status);
                (void)timeline_write("ended", "service", service->name);
                /* Restart=on-failure; strategy "off" ends with 0 and stays ended */
                if (i != SERVICE_BUS && (info->si_code != CLD_EXITED || info->si_status != 0))
                        return machine_later(machine, RESTART_TIME, on_restart);
                return 0;
        }

        return 0;
}

static void machine_stop(Machine *machine)
{
        machine->up = false;
        machine->power = sd_event_source_disable_unref(machine->power);
        service_stop(&machine->services[SERVICE_LOCKSMITHD]);
        service_stop(&machine->services[SERVICE_UPDATED]);
        if (machine->bus)
                (void)sd_bus_set_exit_on_disconnect(machine->bus, false);
        machine->bus = sd_bus_flush_close_unref(machine->bus);
        service_stop(&machine->services[SERVICE_BUS]);
}

static int on_power(sd_event_source *source, uint64_t usec, void *userdata);

static int on_shutdown(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Machine *machine = userdata;

        (void)timeline_write("down", NULL, NULL);
        machine_stop(machine);
        return machine_later(machine, FIRMWARE_TIME, on_power);
}

static int method_reboot(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        Machine *machine = userdata;
        int r;

        /* The reply first: the caller is to see that it was accepted. */
        r = sd_bus_reply_method_return(message, NULL);
        if (r < 0)
                return r;

        machine->up = false; /* from here on nothing is restarted */
        return machine_later(machine, 100 * USEC_PER_MSEC, on_shutdown);
}

/* Lists of nothing: nobody is logged in, nothing inhibits. */
static int method_list_inhibitors(sd_bus_message *message, _unused_ void *userdata,
                                  _unused_ sd_bus_error *error)
{
        return sd_bus_reply_method_return(message, "a(ssssuu)", 0);
}

static int method_list_sessions(sd_bus_message *message, _unused_ void *userdata,
                                _unused_ sd_bus_error *error)
{
        return sd_bus_reply_method_return(message, "a(susso)", 0);
}

static const sd_bus_vtable login_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Reboot", "b", "", method_reboot, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListInhibitors", "", "a(ssssuu)", method_list_inhibitors,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListSessions", "", "a(susso)", method_list_sessions,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

/* A bus of its own: everybody on this machine's bus is this user, and may do everything. */
static const char bus_configuration[] =
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
        " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
        "<busconfig><listen>%s</listen><auth>EXTERNAL</auth>\n"
        "<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/><allow send_destination=\"*\"/>\n"
        "<allow send_type=\"signal\"/><allow receive_sender=\"*\"/></policy></busconfig>\n";

static int bus_daemon_start(Machine *machine)
{
        _cleanup_free_ char *text = NULL, *path = NULL, *argument = NULL;
        int r;

        if (text_format(&text, bus_configuration, machine->bus_address) < 0)
                return -ENOMEM;
        r = file_replace(arg_root, "/run/dbus/bus.conf", text, strlen(text), 0644);
        if (r < 0)
                return r;

        r = root_join(arg_root, "/run/dbus/bus.conf", &path);
        if (r < 0)
                return r;
        if (text_format(&argument, "--config-file=%s", path) < 0)
                return -ENOMEM;
        return machine_start_service(
                machine, SERVICE_BUS,
                (const char *[]) { "dbus-daemon", argument, "--nofork", NULL });
}

/* The daemon needs a moment until it listens; a machine's init has no better signal either. */
static int bus_connect(Machine *machine)
{
        usec_t end = now_boottime() + BUS_TIME;
        int r;

        do {
                r = bus_open(machine->event, &machine->bus);
                if (r >= 0)
                        break;
                (void)usleep(5000);
        } while (now_boottime() < end);
        if (r < 0)
                return r;

        r = sd_bus_add_object_vtable(machine->bus, NULL, "/org/freedesktop/login1",
                                     LOGIN_NAME ".Manager", login_vtable, machine);
        if (r < 0)
                return r;
        return sd_bus_request_name(machine->bus, LOGIN_NAME, 0);
}

static int cloud_config_apply(void)
{
        _cleanup_free_ char *program = NULL, *document = NULL;
        int r;

        if (text_format(&program, "%s/cloud-config/cloud-config", arg_programs) < 0)
                return -ENOMEM;
        r = root_join(arg_root, arg_user_data, &document);
        if (r < 0)
                return r;

        r = run_wait((const char *[]) { program, "apply", "--root", arg_root, document, NULL });
        if (r != 0)
                return log_error_return(-EINVAL,
                                        "%s: cloud-config did not apply, see var/log/machine.log",
                                        arg_name);
        return 0;
}

static int machine_boot(Machine *machine)
{
        int r;

        r = directory_renew("/run");
        if (r < 0)
                return log_error_errno(r, "%s: emptying /run: %m", arg_root);
        r = boot_loader_run();
        if (r < 0)
                return r;
        r = boot_id_renew();
        if (r < 0)
                return log_error_errno(r, "%s: making a boot id: %m", arg_root);

        r = bus_daemon_start(machine);
        if (r >= 0)
                r = bus_connect(machine);
        if (r < 0)
                return log_error_errno(r, "%s: starting its D-Bus daemon: %m", arg_name);

        r = cloud_config_apply();
        if (r < 0)
                return r;
        machine->up = true;
        r = daemons_start(machine);
        if (r < 0)
                return r;
        return timeline_write("up", NULL, NULL);
}

static int on_power(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Machine *machine = userdata;
        int r = machine_boot(machine);

        return r < 0 ? sd_event_exit(machine->event, r) : 0;
}

static int machine_prepare(void)
{
        _cleanup_free_ char *log = NULL;
        int r;

        r = root_join(arg_root, "/var/log/x", &log);
        if (r < 0)
                return r;
        return parents_make(log, 0755);
}

static int run(_unused_ int argc, _unused_ char **argv)
{
        Machine machine = {
                .services = {
                        [SERVICE_BUS] = { .name = "dbus-daemon" },
                        [SERVICE_UPDATED] = { .name = "updated" },
                        [SERVICE_LOCKSMITHD] = { .name = "locksmithd" },
                },
        };
        sigset_t child;
        int r;

        if (!arg_root || !arg_disk || !arg_programs || !arg_timeline)
                return program_usage("--root, --disk, --programs and --timeline are needed");

        /* sd_event_add_child() wants SIGCHLD blocked; the demo's death is ours. */
        if (sigemptyset(&child) < 0 || sigaddset(&child, SIGCHLD) < 0
            || sigprocmask(SIG_BLOCK, &child, NULL) < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
                return log_error_errno(-errno, "setting up signals: %m");

        /* An abstract socket: no path that could be too long, nothing left behind. */
        if (text_format(&machine.bus_address, "unix:abstract=sluice-%s-%d", arg_name, (int)getpid())
            < 0)
                return -ENOMEM;
        if (setenv("DBUS_SYSTEM_BUS_ADDRESS", machine.bus_address, true) < 0)
                return -errno;

        r = machine_prepare();
        if (r >= 0)
                r = event_new(&machine.event);
        if (r >= 0)
                r = machine_later(&machine, 0, on_power);
        if (r < 0)
                return log_error_errno(r, "%s: setting up: %m", arg_name);

        printf("%s\n", machine.bus_address);
        fflush(stdout);
        r = sd_event_loop(machine.event);
        machine_stop(&machine);
        sd_event_unref(machine.event);
        free(machine.bus_address);
        return r < 0 ? r : EXIT_DONE;
}

int main(int argc, char **argv)
{
        static const Option options[] = {
                { "root", 0, OPTION_TEXT, &arg_root, "DIR", "what the host sees as /", 0 },
                { "disk", 0, OPTION_TEXT, &arg_disk, "FILE", "its disk image", 0 },
                { "name", 0, OPTION_TEXT, &arg_name, "NAME", "what the timeline calls it", 0 },
                { "programs", 0, OPTION_TEXT, &arg_programs, "DIR", "the build directory", 0 },
                { "timeline", 0, OPTION_TEXT, &arg_timeline, "FILE", "where events are appended",
                  0 },
                {},
        };
        static const Program program = {
                .name = "machine",
                .synopsis = "--root DIR --disk FILE --programs DIR --timeline FILE",
                .summary =
                        "Stands in for firmware, boot loader, init and logind of one host of the demo.",
                .options = options,
                .run = run,
        };

        return program_run(&program, argc, argv);
}
