#include <fcntl.h>

#include "base/program.h"
#include "stage.h"
#include "version.h"

static const struct {
        const char *name, *directory;
} stage_table[_STAGE_MAX] = {
        [STAGE_WORK] = { "locksmithd", SLUICE_SBINDIR },
        [STAGE_IDLE] = { "locksmithd-idle", SLUICE_LIBEXECDIR },
};

/* Whether the next program gets it; all other descriptors of ours are closed on the way. */
static int file_keep(int fd, bool keep)
{
        return fd < 0 ? 0 : RET_ERRNO(fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC));
}

static int arguments_make(const char *program, const StageOptions *options,
                          const Handover *handover, TextList *arguments)
{
        int r;

        r = text_list_add(arguments, program);
        if (r >= 0 && options->root)
                r = text_list_add(arguments, "--root");
        if (r >= 0 && options->root)
                r = text_list_add(arguments, options->root);
        if (r >= 0 && options->debug)
                r = text_list_add(arguments, "--debug");
        return r < 0 ? r : handover_format(handover, arguments);
}

int stage_enter(Stage stage, const StageOptions *options, const Handover *handover,
                char **ret_program)
{
        _cleanup_(text_list_done) TextList arguments = {};
        int r;

        r = program_find(stage_table[stage].directory, stage_table[stage].name, ret_program);
        if (r >= 0)
                r = arguments_make(*ret_program, options, handover, &arguments);
        if (r >= 0)
                r = file_keep(handover->coordinator, true);
        if (r >= 0)
                r = file_keep(handover->bus, true);
        if (r >= 0)
                r = RET_ERRNO(execv(*ret_program, arguments.items));

        (void)file_keep(handover->coordinator, false); /* the error above is the one to tell */
        (void)file_keep(handover->bus, false);
        return r;
}
