#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/text.h"
#include "base/time-util.h"
#include "double/service.h"

#define STOP_TIME (5 * USEC_PER_SEC) /* then SIGKILL */

/*
 * What systemd would put into the environment of a unit: the Environment="NAME=value" lines of its
 * drop-ins, as cloud-config writes them.
 */
static int environment_from_drop_in(const char *root, const char *unit, TextList *environment)
{
        _cleanup_free_ char *path = NULL, *text = NULL;
        char *rest, *line;
        int r;

        if (text_format(&path, "/run/systemd/system/%s.service.d/20-cloudinit.conf", unit) < 0)
                return -ENOMEM;
        r = file_read(root, path, IO_SMALL_FILE_MAX, &text, NULL);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;

        rest = text;
        while ((line = strsep(&rest, "\n"))) {
                char *value = (char *)after_prefix(line, "Environment=\"");

                if (!value || !*value)
                        continue;
                value[strlen(value) - 1] = 0; /* the closing quote */
                r = text_list_add(environment, value);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int service_environment(const Service *service, const char *root, const char *bus_address,
                               TextList *ret)
{
        _cleanup_free_ char *address = NULL;
        const char *path = getenv("PATH");
        int r;

        if (text_format(&address, "DBUS_SYSTEM_BUS_ADDRESS=%s", bus_address) < 0)
                return -ENOMEM;
        r = text_list_add(ret, address);
        if (r < 0)
                return r;

        free(address);
        address = NULL;
        if (text_format(&address, "PATH=%s", path ? path : "/usr/sbin:/usr/bin") < 0)
                return -ENOMEM;
        r = text_list_add(ret, address);
        if (r < 0)
                return r;

        return environment_from_drop_in(root, service->name, ret);
}

/* Never returns. */
static _noreturn_ void service_exec(const Service *service, const char *root,
                                    const char *const argv[], char *const environment[])
{
        _cleanup_free_ char *log_path = NULL;
        sigset_t none;
        int log = -1;

        if (text_format(&log_path, "/var/log/%s.log", service->name) >= 0)
                log = root_open(root, log_path, O_WRONLY | O_CREAT | O_APPEND, 0644);
        if (log < 0 || dup2(log, STDERR_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0
            || sigemptyset(&none) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0
            || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                _exit(126);
        execvpe(argv[0], (char *const *)argv, environment);
        _exit(127);
}

int service_start(Service *service, sd_event *event, const char *root, const char *bus_address,
                  const char *const argv[], sd_event_child_handler_t on_ended, void *userdata)
{
        TextList environment = {};
        pid_t pid;
        int r;

        r = service_environment(service, root, bus_address, &environment);
        if (r < 0) {
                text_list_done(&environment);
                return r;
        }

        pid = fork();
        if (pid == 0)
                service_exec(service, root, argv, environment.items);
        text_list_done(&environment);
        if (pid < 0)
                return -errno;

        service->pid = pid;
        service->child = sd_event_source_unref(service->child);
        return sd_event_add_child(event, &service->child, pid, WEXITED, on_ended, userdata);
}

void service_stop(Service *service)
{
        usec_t end = now_boottime() + STOP_TIME;

        service->child = sd_event_source_disable_unref(service->child);
        if (service->pid <= 0)
                return;

        (void)kill(service->pid, SIGTERM);
        while (waitpid(service->pid, NULL, WNOHANG) == 0) {
                if (now_boottime() > end)
                        (void)kill(service->pid, SIGKILL);
                (void)usleep(5000);
        }
        service->pid = 0;
}
