/*
 * update-serve: a small Omaha and file server for a lab, an air-gapped site, the demo and the
 * tests.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "base/http-address.h"
#include "base/http.h"
#include "base/log.h"
#include "base/program.h"
#include "serve-catalogue.h"
#include "serve-download.h"
#include "serve-publish.h"
#include "serve-server.h"
#include "serve-show.h"

static const char *arg_directory;
static const char *arg_listen = "127.0.0.1:8080";
static const char *arg_url_base;
static uint64_t arg_delay_rate;
static const char *arg_channel;
static const char *arg_version;
static const char *arg_board = "";
static const char *arg_appid = CATALOGUE_APPID;
static TextList arg_packages;
static bool arg_json;
static bool arg_follow;

/* 0, or the exit status for wrong usage. */
static int check_directory(void)
{
        return arg_directory ? 0 : program_usage("--directory is missing");
}

static int check_serve(void)
{
        if (arg_url_base && !http_url_is_valid(arg_url_base))
                return program_usage("--url-base: \"%s\" is no http or https URL", arg_url_base);
        if (arg_delay_rate > 0 && arg_delay_rate < DOWNLOAD_RATE_MIN)
                return program_usage("--delay-rate: %llu is too slow, the least is %d bytes/s",
                                     (unsigned long long)arg_delay_rate, DOWNLOAD_RATE_MIN);
        return check_directory();
}

static int event_new(sd_event **ret)
{
        static const int signals[] = { SIGTERM, SIGINT };
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        int r;

        r = sd_event_new(&event);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                r = sd_event_add_signal(event, NULL, signals[i] | SD_EVENT_SIGNAL_PROCMASK, NULL,
                                        NULL);
                if (r < 0)
                        return r;
        }
        r = sd_event_set_watchdog(event, true);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(event);
        return 0;
}

static int serve(int fd, const char *address)
{
        const ServerParameters parameters = {
                .directory = arg_directory,
                .url_base = arg_url_base,
                .rate = arg_delay_rate,
                .listen_fd = fd,
        };
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(server_free_p) Server *server = NULL;
        int r;

        r = event_new(&event);
        if (r < 0)
                return log_error_errno(r, "starting the event loop: %m");
        r = server_new(event, &parameters, &server);
        if (r < 0)
                return log_error_errno(r, "starting the server: %m");

        printf("Serving %s on http://%s" SERVER_PATH "\n", arg_directory, address);
        (void)fflush(stdout);              /* whoever does not read it does not need it */
        (void)sd_notify(false, "READY=1"); /* nobody may be waiting */
        r = sd_event_loop(event);
        (void)sd_notify(false, "STOPPING=1");
        if (r < 0)
                return log_error_errno(r, "serving: %m");
        return 0;
}

static int verb_serve(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_free_ char *address = NULL;
        _cleanup_close_ int fd = -1;
        struct stat status;
        int r;

        r = check_serve();
        if (r != 0)
                return r;
        if (stat(arg_directory, &status) < 0)
                return log_error_errno(errno, "opening %s: %m; \"%s publish\" makes it",
                                       arg_directory, log_program());

        (void)signal(SIGPIPE, SIG_IGN); /* a client that hangs up is no reason to die */
        fd = address_listen(arg_listen, &address);
        if (fd == -EINVAL)
                return program_usage("--listen: \"%s\" is not ADDRESS:PORT with a numeric address",
                                     arg_listen);
        if (fd < 0)
                return log_error_errno(fd, "listening on %s: %m", arg_listen);

        return serve(TAKE_FD(fd), address);
}

static bool package_is_valid(const char *text)
{
        const char *path = strchr(text, '=');
        _cleanup_free_ char *name = path ? strndup(text, (size_t)(path - text)) : NULL;

        return name && path[1] && catalogue_name_is_valid(name);
}

static int verb_publish(int argc, char **argv)
{
        int r;

        r = check_directory();
        if (r != 0)
                return r;
        if (!arg_channel || !arg_version)
                return program_usage("publish: --%s is missing",
                                     arg_channel ? "version" : "channel");
        if (!catalogue_word_is_valid(arg_channel))
                return program_usage("--channel: \"%s\" is no name of a channel", arg_channel);
        if (!catalogue_word_is_valid(arg_version))
                return program_usage("--version: \"%s\" is no version", arg_version);
        if (*arg_board && !catalogue_word_is_valid(arg_board))
                return program_usage("--board: \"%s\" is no name of a board", arg_board);
        if (!catalogue_appid_is_valid(arg_appid))
                return program_usage("--appid: \"%s\" is no app id", arg_appid);

        for (size_t i = 0; i < arg_packages.n_items; i++)
                if (!package_is_valid(arg_packages.items[i]))
                        return program_usage("--package: \"%s\" is not NAME=FILE",
                                             arg_packages.items[i]);

        return publish(&(PublishParameters) {
                .directory = arg_directory,
                .channel = arg_channel,
                .version = arg_version,
                .board = arg_board,
                .appid = arg_appid,
                .payload = argc > 1 ? argv[1] : NULL,
                .packages = &arg_packages,
                .json = arg_json,
        });
}

static int verb_channels(_unused_ int argc, _unused_ char **argv)
{
        int r;

        r = check_directory();
        return r != 0 ? r : show_channels(arg_directory, arg_json);
}

static int verb_log(_unused_ int argc, _unused_ char **argv)
{
        int r;

        r = check_directory();
        return r != 0 ? r : show_log(arg_directory, arg_json, arg_follow);
}

int main(int argc, char **argv)
{
        static const Option options[] = {
                { "directory", 'd', OPTION_TEXT, &arg_directory, "DIR",
                  "where payloads, catalogue and log lie" },
                { "listen", 'l', OPTION_TEXT, &arg_listen, "ADDR:PORT",
                  "where to serve (default 127.0.0.1:8080);\nport 0: any free one" },
                { "url-base", 0, OPTION_TEXT, &arg_url_base, "URL",
                  "how clients reach /payloads/ (default: as\nthey reach Omaha)" },
                { "delay-rate", 0, OPTION_NUMBER, &arg_delay_rate, "BYTES",
                  "send payloads at so many bytes/s only", GIB },
                {},
        };
        static const Option publish_options[] = {
                { "channel", 'c', OPTION_TEXT, &arg_channel, "NAME",
                  "alpha, beta, stable or another name" },
                { "version", 0, OPTION_TEXT, &arg_version, "V", "what is in the payload" },
                { "board", 0, OPTION_TEXT, &arg_board, "NAME",
                  "for this board only (default: any)" },
                { "package", 0, OPTION_LIST, &arg_packages, "NAME=FILE",
                  "an image beside the payload, as oem-qemu.gz" },
                { "appid", 0, OPTION_TEXT, &arg_appid, "ID", "(default: CoreOS and Flatcar)" },
                { "json", 'j', OPTION_FLAG, &arg_json, NULL, "print JSON" },
                {},
        };
        static const Option channels_options[] = {
                { "json", 'j', OPTION_FLAG, &arg_json, NULL, "print JSON" },
                {},
        };
        static const Option log_options[] = {
                { "json", 'j', OPTION_FLAG, &arg_json, NULL, "print JSON, one object a line" },
                { "follow", 'f', OPTION_FLAG, &arg_follow, NULL, "go on with what comes" },
                {},
        };
        static const Verb verbs[] = {
                { "serve", "", 0, 0, NULL, "answer clients (the default)", verb_serve },
                { "publish", "[PAYLOAD]", 0, 1, publish_options,
                  "offer a payload, or a published version, in a\nchannel", verb_publish },
                { "channels", "", 0, 0, channels_options, "what each channel leads to",
                  verb_channels },
                { "log", "", 0, 0, log_options, "what clients asked and reported", verb_log },
                {},
        };
        static const Program program = {
                .name = "update-serve",
                .synopsis = "--directory DIR [OPTIONS] [COMMAND]",
                .summary = "Serves updates over Omaha and HTTP.",
                .options = options,
                .verbs = verbs,
                .default_verb = "serve",
        };

        return program_run(&program, argc, argv);
}
