#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "ctl.h"
#include "lock-key.h"
#include "pause.h"

static bool arg_global = false;
static const char *arg_of = NULL;

const Option set_max_options[] = {
        { "global", 0, OPTION_FLAG, &arg_global, NULL, "of all groups together; N can be \"none\"",
          0 },
        { "of", 0, OPTION_TEXT, &arg_of, "HOSTS",
          "with a percentage: of so many; default: of all\nthat are known", 0 },
        {},
};

typedef struct SetMax {
        int64_t max, of;
        unsigned percent;
        Deed deed;
        int r;
} SetMax;

static void on_max_set(const LockResult *result, void *userdata)
{
        const Semaphore *semaphore = result->semaphore;
        SetMax *set = userdata;

        if (ctl_json())
                set->r = ctl_print(json_pack("{s:I, s:I}", "old_max", (json_int_t)result->old_max,
                                             "max", (json_int_t)semaphore->max));
        else
                printf("Old-Max: %" PRId64 "\nMax: %" PRId64 "\n", result->old_max, semaphore->max);
        if (semaphore->free < 0)
                log_warning("%zu hosts hold the lock: nobody new gets in until fewer than %" PRId64
                            " do",
                            semaphore->holders.n_items, semaphore->max);
}

/* A number ends a share, and the other way round. */
static int share_edit(_unused_ Semaphore *semaphore, PolicyView *view, _unused_ int64_t revision,
                      void *userdata)
{
        const SetMax *set = userdata;
        bool same = view->policy.percent == set->percent && view->policy.of == set->of;

        if (view->damaged)
                return same ? 0 : -EUCLEAN;

        view->policy.percent = set->percent;
        view->policy.of = set->of;
        return ctl_note(view, &set->deed) < 0 ? -ENOMEM : 1;
}

static int max_set(Ctl *ctl, SetMax *set, const char *text)
{
        int r;

        if (set->of > 0)
                r = ctl_deed(ctl, &set->deed, "set-max %s --of %" PRId64, text, set->of);
        else
                r = ctl_deed(ctl, &set->deed, "set-max %s", text);
        if (r < 0)
                return r;

        r = ctl_run(ctl,
                    &(LockRequest) {
                            .kind = LOCK_KIND_SET_MAX,
                            .max = set->max,
                            .edit = share_edit,
                            .edit_userdata = set,
                            .on_done = on_max_set,
                            .userdata = set,
                    },
                    "Error setting value");
        deed_done(&set->deed);
        return r < 0 ? r : set->r;
}

/* "10%": 1 to 100. */
static int percent_parse(const char *text, unsigned *ret)
{
        _cleanup_free_ char *number = strdup(text);
        size_t n = strlen(text);
        uint64_t value;

        if (!number)
                return -ENOMEM;
        number[n - 1] = 0;
        if (text_to_u64(number, 100, &value) < 0 || value == 0)
                return -EINVAL;

        *ret = (unsigned)value;
        return 0;
}

static int share_hosts(Ctl *ctl, SetMax *set, uint64_t *ret)
{
        _cleanup_free_ char *why = NULL;
        int r;

        if (set->of > 0)
                return 0;
        r = peers_count_hosts(&ctl->session, ctl->settings.group, ret, &why);
        if (r < 0)
                return log_error_return(r, "Error counting the hosts: %s",
                                        why ? why : strerror(-r));
        if (*ret == 0)
                return log_error_return(
                        -ENODATA,
                        "no host of this group is known yet: say how many there are with --of");
        return 0;
}

static int share_set(Ctl *ctl, const char *text)
{
        SetMax set = {};
        uint64_t hosts = 0, of = 0;
        int r;

        if (arg_of && (text_to_u64(arg_of, INT64_MAX / 100, &of) < 0 || of == 0))
                return log_error_return(-EINVAL, "Invalid number of hosts: %s", arg_of);
        set.of = (int64_t)of;
        if (percent_parse(text, &set.percent) < 0)
                return log_error_return(-EINVAL,
                                        "Invalid maximum value: %s: a share is 1%% to 100%%", text);
        r = ctl_open(ctl);
        if (r >= 0)
                r = share_hosts(ctl, &set, &hosts);
        if (r < 0)
                return r;

        set.max = policy_share(&(Policy) { .percent = set.percent, .of = set.of }, hosts);
        return max_set(ctl, &set, text);
}

/* The semaphore is written again in any case: that wakes those who wait. */
static int limit_edit(_unused_ Semaphore *semaphore, PolicyView *view, _unused_ int64_t revision,
                      void *userdata)
{
        return ctl_note(view, userdata) < 0 ? -ENOMEM : 1;
}

static void on_limit_set(_unused_ const LockResult *result, _unused_ void *userdata)
{
        /* The caller tells what was done. */
}

static int limit_text(const Ctl *ctl, int64_t max, char **ret)
{
        _cleanup_(record_done) Record host = {};
        int r;

        r = record_of_host(ctl->settings.root, "", NULL, &host);
        return r < 0 ? r
                     : pause_format(&(Pause) { .max = max,
                                               .host = host.host,
                                               .reason = host.reason,
                                               .since = host.since },
                                    ret);
}

/* max 0: none any more. */
static int limit_set(Ctl *ctl, int64_t max)
{
        _cleanup_(deed_done) Deed deed = {};
        _cleanup_free_ char *text = NULL;
        int r;

        r = ctl_open(ctl);
        if (r >= 0 && max > 0)
                r = ctl_deed(ctl, &deed, "set-max --global %" PRId64, max);
        else if (r >= 0)
                r = ctl_deed(ctl, &deed, "set-max --global none");
        if (r < 0)
                return r;
        r = max > 0 ? limit_text(ctl, max, &text) : 0;
        if (r < 0)
                return log_error_errno(r, "setting the limit: %m");
        r = ctl_run(ctl,
                    &(LockRequest) {
                            .kind = LOCK_KIND_EDIT,
                            .sides = &(LockSide) { .key = LOCK_KEY_LIMIT, .value = text },
                            .n_sides = 1,
                            .edit = limit_edit,
                            .edit_userdata = &deed,
                            .on_done = on_limit_set,
                    },
                    "Error setting value");
        if (r < 0)
                return r;

        if (ctl_json())
                return ctl_print(json_pack("{s:o}", "global_max",
                                           max > 0 ? json_integer(max) : json_null()));
        if (max > 0)
                printf("Global-Max: %" PRId64 "\n", max);
        else
                printf("Global-Max: none\n");
        return EXIT_DONE;
}

static int verb_set_limit(Ctl *ctl, const char *text)
{
        uint64_t max = 0;

        if (streq(text, "none"))
                return limit_set(ctl, 0);
        if (text_to_u64(text, INT64_MAX, &max) < 0 || max == 0)
                return log_error_return(-EINVAL,
                                        "Invalid maximum value: %s: of all groups together it is 1"
                                        " or more, or \"none\"",
                                        text);
        return limit_set(ctl, (int64_t)max);
}

int verb_set_max(int argc, char **argv)
{
        _cleanup_(ctl_done) Ctl ctl = {};
        SetMax set = {};
        uint64_t max;
        int r;

        /* Refused as the classic tool refuses it, with 1; but before etcd is asked for anything. */
        if (argc != 2)
                return log_error_return(-EINVAL, "New maximum value must be set.");
        if (arg_global)
                return verb_set_limit(&ctl, argv[1]);
        if (*argv[1] && argv[1][strlen(argv[1]) - 1] == '%')
                return share_set(&ctl, argv[1]);
        if (text_to_u64(argv[1], INT64_MAX, &max) < 0)
                return log_error_return(-EINVAL, "Invalid maximum value: %s", argv[1]);
        if (arg_of)
                return program_usage("--of goes with a percentage, as in: set-max 10%% --of 40");

        r = ctl_open(&ctl);
        if (r < 0)
                return r;
        set.max = (int64_t)max;
        return max_set(&ctl, &set, argv[1]);
}
