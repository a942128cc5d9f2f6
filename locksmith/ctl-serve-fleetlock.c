#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "backend-fleetlock.h"
#include "base/http-address.h"
#include "base/io.h"
#include "base/log.h"
#include "ctl.h"
#include "fleetlock-serve.h"
#include "fleetlock-wire.h"

#define LISTEN_DEFAULT "127.0.0.1:3333"
#define PEM_MAX        (256 * KIB)
#define STOP_TIME      (10 * USEC_PER_SEC) /* what is under way gets so long to end */

static const char *arg_listen = LISTEN_DEFAULT, *arg_groups = NULL;
static const char *arg_certificate = NULL, *arg_key = NULL, *arg_client_ca = NULL;

const Option serve_fleetlock_options[] = {
        { "listen", 0, OPTION_TEXT, &arg_listen, "ADDR:PORT",
          "where to serve (default " LISTEN_DEFAULT ")", 0 },
        { "groups", 0, OPTION_TEXT, &arg_groups, "NAME[,NAME]",
          "which groups to serve; default: \"default\",\nand that of this host", 0 },
        { "tls-cert", 0, OPTION_TEXT, &arg_certificate, "FILE", "serve HTTPS with it (PEM)", 0 },
        { "tls-key", 0, OPTION_TEXT, &arg_key, "FILE", "its key (PEM)", 0 },
        { "tls-client-ca", 0, OPTION_TEXT, &arg_client_ca, "FILE",
          "clients need a certificate of this CA (PEM)", 0 },
        {},
};

typedef struct Serving {
        Settings settings;
        sd_event *event;
        Session session;
        TextList groups;
        char *certificate, *key, *client_ca;
        sd_event_source *signals[2], *timer;
        FleetlockServe *server;
} Serving;

static void serving_done(Serving *s)
{
        fleetlock_serve_free(s->server);
        for (size_t i = 0; i < ELEMENTSOF(s->signals); i++)
                sd_event_source_disable_unref(s->signals[i]);
        sd_event_source_disable_unref(s->timer);
        session_done(&s->session);
        sd_event_unref(s->event);
        text_list_done(&s->groups);
        free(s->certificate);
        free(s->key);
        free(s->client_ca);
        settings_done(&s->settings);
}

static void on_idle(void *userdata)
{
        Serving *s = userdata;

        (void)sd_event_exit(s->event, EXIT_DONE); /* fails in the end only */
}

static int on_stop_late(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        log_warning("not everything could be answered before the end");
        on_idle(userdata);
        return 0;
}

static int on_signal(_unused_ sd_event_source *source, _unused_ const struct signalfd_siginfo *info,
                     void *userdata)
{
        Serving *s = userdata;
        int r;

        if (s->timer)
                return 0;                     /* once is enough */
        (void)sd_notify(false, "STOPPING=1"); /* not under systemd: nobody to tell */
        r = sd_event_add_time_relative(s->event, &s->timer, CLOCK_MONOTONIC, STOP_TIME, 0,
                                       on_stop_late, s);
        if (r < 0)
                return r;
        fleetlock_serve_stop(s->server);
        return 0;
}

static int serving_open_event(Serving *s)
{
        static const int signals[] = { SIGTERM, SIGINT };
        sigset_t mask;
        int r;

        (void)signal(SIGPIPE, SIG_IGN); /* a client that hangs up is no reason to die */
        r = sd_event_new(&s->event);
        if (r < 0)
                return r;
        (void)sigemptyset(&mask); /* can not fail, as the next */
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void)sigaddset(&mask, signals[i]);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(signals) && r >= 0; i++)
                r = sd_event_add_signal(s->event, &s->signals[i], signals[i], on_signal, s);
        return r < 0 ? r : sd_event_set_watchdog(s->event, true);
}

/* *ret stays NULL without a file. Logs what is wrong. */
static int pem_read(const char *root, const char *path, char **ret)
{
        int r;

        if (!path)
                return 0;
        r = file_read(root, path, PEM_MAX, ret, NULL);
        return r < 0 ? log_error_errno(r, "%s: %m", path) : 0;
}

static int serving_read_files(Serving *s)
{
        int r;

        r = pem_read(s->settings.root, arg_certificate, &s->certificate);
        if (r >= 0)
                r = pem_read(s->settings.root, arg_key, &s->key);
        if (r >= 0)
                r = pem_read(s->settings.root, arg_client_ca, &s->client_ca);
        return r;
}

static int serving_set_groups(Serving *s)
{
        const char *own = s->settings.group;
        int r;

        if (arg_groups)
                r = text_list_split(&s->groups, arg_groups, ",");
        else {
                r = text_list_add(&s->groups, FLEETLOCK_GROUP_DEFAULT);
                if (r >= 0 && !is_empty(own))
                        r = text_list_add(&s->groups, own);
        }
        if (r < 0)
                return log_error_errno(r, "%m");

        for (size_t i = 0; i < s->groups.n_items; i++)
                if (!fleetlock_group_is_valid(s->groups.items[i]))
                        return log_error_return(
                                -EINVAL,
                                "group \"%s\": FleetLock takes letters, digits, dots"
                                " and dashes only",
                                s->groups.items[i]);
        return 0;
}

static int serving_open(Serving *s)
{
        int r;

        r = ctl_settings(&s->settings);
        if (r < 0)
                return r;
        if (s->settings.backend != SETTINGS_BACKEND_ETCD)
                return log_error_return(-EINVAL,
                                        "LOCK_BACKEND is fleetlock: a server needs the lock"
                                        " in etcd");
        r = serving_set_groups(s);
        if (r >= 0)
                r = serving_read_files(s);
        if (r < 0)
                return r;

        r = serving_open_event(s);
        if (r >= 0)
                r = session_open(s->event, &s->settings, &s->session);
        return r < 0 ? log_error_errno(r, "setting up: %m") : 0;
}

static int serving_run(Serving *s, int fd, const char *address)
{
        int r;

        r = fleetlock_serve_new(
                &(FleetlockServeParameters) {
                        .session = &s->session,
                        .settings = &s->settings,
                        .groups = &s->groups,
                        .listen_fd = fd,
                        .certificate_pem = s->certificate,
                        .key_pem = s->key,
                        .ca_pem = s->client_ca,
                        .on_idle = on_idle,
                        .userdata = s,
                },
                &s->server);
        if (r < 0)
                return log_error_errno(r, "starting the server: %m%s",
                                       s->certificate ? "; look at certificate and key" : "");

        printf("Serving FleetLock on %s://%s/\n", s->certificate ? "https" : "http", address);
        (void)fflush(stdout);              /* whoever does not read it does not need it */
        (void)sd_notify(false, "READY=1"); /* nobody may be waiting */
        r = sd_event_loop(s->event);
        return r < 0 ? log_error_errno(r, "serving: %m") : r;
}

int verb_serve_fleetlock(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(serving_done) Serving s = {};
        _cleanup_free_ char *address = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        if (!arg_certificate != !arg_key || (arg_client_ca && !arg_certificate))
                return program_usage("--tls-cert and --tls-key go together, --tls-client-ca needs"
                                     " them");
        r = serving_open(&s);
        if (r < 0)
                return r;
        fd = address_listen(arg_listen, &address);
        if (fd == -EINVAL)
                return program_usage("--listen: \"%s\" is not ADDRESS:PORT with a numeric address",
                                     arg_listen);
        if (fd < 0)
                return log_error_errno(fd, "listening on %s: %m", arg_listen);

        return serving_run(&s, TAKE_FD(fd), address);
}
