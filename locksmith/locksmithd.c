#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "base/program.h"
#include "daemon.h"
#include "off.h"

static StageOptions arg_stage = {};

static int run(int argc, char **argv)
{
        _cleanup_(handover_done) Handover woken = HANDOVER_NONE;
        _cleanup_(settings_done) Settings settings = {};
        _cleanup_free_ char *why = NULL;
        const char *wrong = NULL;
        int r;

        if (arg_stage.debug)
                log_set_max_level(LOG_DEBUG);
        r = argc > 1 ? handover_parse((size_t)argc - 1, argv + 1, &woken, &wrong) : 0;
        if (r == -EINVAL)
                return program_usage("%s: wrong or missing; only locksmithd-idle has arguments",
                                     wrong);
        if (r >= 0)
                r = text_set(&settings.root, arg_stage.root);
        if (r >= 0)
                r = settings_read(&settings, false, &why);
        if (r < 0 && why)
                return log_error_return(r, "%s", why);
        if (r < 0)
                return log_error_errno(r, "reading the settings: %m");

        if (settings.strategy == STRATEGY_OFF) {
                log_notice("REBOOT_STRATEGY is off: there will be no reboot");
                off_release(&settings);
                (void)sd_notify(false,
                                "READY=1"); /* or systemd takes a good end for a failed start */
                return EXIT_DONE;
        }

        return daemon_run(&settings, &arg_stage, argc > 1 ? &woken : NULL);
}

int main(int argc, char **argv)
{
        static const Option options[] = {
                { "root", 0, OPTION_DIRECTORY, &arg_stage.root, "DIR", "see DIR as / for all files",
                  0 },
                { "debug", 0, OPTION_FLAG, &arg_stage.debug, NULL, "log more", 0 },
                {},
        };
        static const Program program = {
                .name = "locksmithd",
                .synopsis = "[--root DIR]",
                .summary =
                        "Reboots this host when an update waits for it, as strategy, window and lock\nallow.",
                .options = options,
                .run = run,
                .max_arguments = HANDOVER_WORDS_MAX, /* of the other stage */
                .single_dash = true,
                .footer =
                        "Settings come from the environment and from update.conf, see locksmithd(8).",
        };

        return program_run(&program, argc, argv);
}
