#include "trial.h"
#include "base/hooks.h"
#include "base/log.h"
#include "base/text.h"
#include "trial-target.h"

struct Trial {
        TrialRequest request;
        HealthFacts facts;
        usec_t time_limit;
        char *text, *why;
        sd_event_source *step;
        TrialTarget *target;
        Hooks *hooks;
};

static bool target_is_wanted(const char *root, const Config *config)
{
        return config->health_target && trial_target_has_systemd(root);
}

bool trial_is_needed(const char *root, const Config *config)
{
        _cleanup_(text_list_done) TextList names = {};

        /* A directory that can not be read is a check that fails. */
        return target_is_wanted(root, config) || hooks_list(root, TRIAL_HOOKS, &names) < 0
               || names.n_items > 0;
}

Trial *trial_free(Trial *trial)
{
        if (!trial)
                return NULL;

        sd_event_source_disable_unref(trial->step);
        trial_target_free(trial->target);
        hooks_cancel(trial->hooks);
        free(trial->text);
        free(trial->why);
        free(trial);
        return NULL;
}

const char *trial_text(const Trial *trial)
{
        return trial->text ? trial->text : "";
}

static int trial_say(Trial *trial, const char *text)
{
        int r;

        r = text_set(&trial->text, text);
        if (r < 0)
                return r;

        trial->request.on_change(trial->request.userdata);
        return 0;
}

static int trial_step_later(Trial *trial)
{
        return sd_event_source_set_enabled(trial->step, SD_EVENT_ONESHOT);
}

/* A fact has changed; why is NULL when it is a good one. */
static void trial_note(Trial *trial, const char *why)
{
        int r;

        r = text_set(&trial->why, why);
        if (r >= 0)
                r = trial_step_later(trial);
        if (r < 0)
                (void)sd_event_exit(trial->request.event, r); /* systemd starts us anew */
}

static void on_target(const char *why, void *userdata)
{
        Trial *trial = userdata;

        trial->facts.target = why ? HEALTH_TARGET_FAILED : HEALTH_TARGET_REACHED;
        trial_note(trial, why);
}

static void on_hook_line(const char *line, _unused_ void *userdata)
{
        log_info("%s", line);
}

static void on_hooks(const char *why, void *userdata)
{
        Trial *trial = userdata;

        trial->hooks = NULL; /* may be gone after this call */
        trial->facts.hooks = why ? HEALTH_HOOKS_FAILED : HEALTH_HOOKS_PASSED;
        trial_note(trial, why);
}

static int trial_run_hooks(Trial *trial)
{
        _cleanup_(text_list_done) TextList environment = {};
        _cleanup_free_ char *version = NULL;
        int r;

        if (text_format(&version, "SLUICE_VERSION=%s", trial->request.version) < 0)
                return -ENOMEM;
        r = hooks_environment((const char *const[]) { version, NULL }, &environment);
        if (r < 0)
                return r;

        r = trial_say(trial, "runs the checks of " TRIAL_HOOKS);
        if (r < 0)
                return r;
        trial->facts.hooks = HEALTH_HOOKS_RUNNING;
        return hooks_start(trial->request.event,
                           &(HooksRequest) {
                                   .root = trial->request.root,
                                   .directory = TRIAL_HOOKS,
                                   .environment = (const char *const *)environment.items,
                                   .time_limit = trial->time_limit,
                                   .on_line = on_hook_line,
                                   .on_done = on_hooks,
                                   .userdata = trial,
                           },
                           &trial->hooks);
}

/* Does what is to be done next. */
static int on_step(_unused_ sd_event_source *source, void *userdata)
{
        Trial *trial = userdata;
        HealthAction action = health_next(&trial->facts);
        char *why;
        int r;

        switch (action) {
        case HEALTH_WAIT:
                return 0;

        case HEALTH_RUN_HOOKS:
                r = trial_run_hooks(trial);
                if (r == -ENOMEM)
                        return r;
                if (r < 0 && text_format(&why, TRIAL_HOOKS ": %s", strerror(-r)) >= 0) {
                        on_hooks(why, trial);
                        free(why);
                }
                return 0;

        case HEALTH_MARK_GOOD:
        case HEALTH_STAY:
        case HEALTH_GO_BACK:
                trial->request.on_end(action, trial->why, trial->request.userdata);
                return 0; /* it may be gone */
        }
        return 0;
}

static int trial_begin_target(Trial *trial, const Config *config)
{
        if (!target_is_wanted(trial->request.root, config)) {
                int r = text_set(&trial->text, "begins");

                return r < 0 ? r : trial_step_later(trial);
        }

        trial->facts.target = HEALTH_TARGET_WAITED_FOR;
        if (text_format(&trial->text, "waits for %s", config->health_target) < 0)
                return -ENOMEM;
        return trial_target_new(
                &(TrialTargetRequest) {
                        .event = trial->request.event,
                        .bus = trial->request.bus,
                        .unit = config->health_target,
                        .time_limit = trial->time_limit,
                        .on_done = on_target,
                        .userdata = trial,
                },
                &trial->target);
}

int trial_new(const TrialRequest *request, Trial **ret)
{
        _cleanup_(trial_free_p) Trial *trial = calloc(1, sizeof(Trial));
        const Config *config = request->config;
        int r;

        if (!trial)
                return -ENOMEM;

        trial->request = *request;
        trial->request.config = NULL; /* read anew for each attempt */
        trial->time_limit = config->health_timeout;
        trial->facts = (HealthFacts) {
                .failure = config->health_failure,
                .way_back = request->way_back,
                .went_back = request->went_back,
        };
        r = sd_event_add_defer(request->event, &trial->step, on_step, trial);
        if (r >= 0)
                r = sd_event_source_set_enabled(trial->step, SD_EVENT_OFF);
        if (r >= 0)
                r = trial_begin_target(trial, config);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(trial);
        return 0;
}
