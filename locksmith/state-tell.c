#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "base/metrics-text.h"
#include "base/text.h"
#include "state-tell.h"

/* How the file coordinator.conf and systemd are told of each action; the words of the file are
 * locksmith's. */
static const struct {
        const char *state, *text;
        StateWhy why;
} action_table[_ACTION_MAX] = {
        [ACTION_WAIT_FOR_DAEMON] = { "starting", "waiting for the update daemon" },
        [ACTION_WAIT_FOR_UPDATE] = { "running", "waiting for an update" },
        [ACTION_WAIT_FOR_WINDOW] = { "running", "a reboot is due: waiting for the reboot window",
                                     STATE_WHY_WINDOW },
        [ACTION_WAIT_FOR_CLEARANCE] = { "running",
                                        "a reboot is due: waiting for all who have a say in it",
                                        STATE_WHY_CLEARANCE },
        [ACTION_WAIT_FOR_DRAIN] = { "reboot-planned", "a reboot is due: emptying this host",
                                    STATE_WHY_CLEARANCE },
        [ACTION_WAIT_FOR_LOCK] = { "reboot-planned", "a reboot is due: waiting for the lock" },
        [ACTION_WAIT_FOR_RELEASE] = { "running", "giving the lock back" },
        [ACTION_WAIT_FOR_RETRY] = { "reboot-planned",
                                    "a reboot is due: it was refused and is asked for again soon" },
        [ACTION_WAIT_FOR_REBOOT] = { "rebooting", "the reboot was asked for" },
        [ACTION_CHECK_SLOT] = { "running",
                                "keeping the lock until the running slot is marked good" },
        [ACTION_CHECK_MEMBER] = { "running",
                                  "keeping the lock until the member of etcd here is well" },
        [ACTION_ASK_ETCD] = { "running", "looking for an etcd" },
        [ACTION_ASK_CLEARANCE] = { "running",
                                   "a reboot is due: waiting for all who have a say in it",
                                   STATE_WHY_CLEARANCE },
        [ACTION_DRAIN] = { "reboot-planned", "a reboot is due: emptying this host",
                           STATE_WHY_CLEARANCE },
        [ACTION_TAKE] = { "reboot-planned", "a reboot is due: taking the lock" },
        [ACTION_RELEASE] = { "running", "giving the lock back" },
        [ACTION_REBOOT] = { "rebooting", "asking for the reboot" },
};

static void metrics_write(StateTell *t, const char *state)
{
        _cleanup_free_ char *text = NULL;
        int r;

        if (!t->metrics_file)
                return;

        t->metrics.state = state;
        r = lock_metrics_print(&t->metrics, &text);
        if (r >= 0)
                r = metrics_file_write(NULL, t->metrics_file, text);
        if (r < 0)
                log_warning_errno(r, "REBOOT_METRICS_FILE %s: %m", t->metrics_file);
}

void state_tell(StateTell *t, Action action, const char *const whys[static _STATE_WHY_MAX])
{
        const char *state = action_table[action].state, *text = action_table[action].text;
        const char *why = whys[action_table[action].why];
        _cleanup_free_ char *say = NULL;
        int r;

        if (text_format(&say, "%s%s%s", text, why ? ": " : "", why ? why : "") < 0)
                return;
        if (streq_null(say, t->said))
                return;

        log_info("%s", say);
        metrics_write(t, state);
        (void)sd_notifyf(false, "STATUS=%s", say); /* not under systemd: nobody to tell */
        r = coordinator_write(&t->coordinator, t->metrics.strategy, state, say);
        if (r < 0)
                log_warning_errno(r, "%s: %m", COORDINATOR_FILE);
        free(t->said);
        t->said = TAKE_PTR(say);
}

int state_told(StateTell *t, Action action)
{
        return text_set(&t->said, action_table[action].text);
}

void state_tell_done(StateTell *t)
{
        coordinator_done(&t->coordinator);
        text_clear(&t->said);
}
