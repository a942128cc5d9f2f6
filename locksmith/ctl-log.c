#include <stdio.h>

#include "base/log.h"
#include "ctl-table.h"
#include "ctl.h"

#define INDENT 8 /* of what a line goes on with */

int ctl_deed(const Ctl *ctl, Deed *ret, const char *format, ...)
{
        _cleanup_(deed_done) Deed deed = { .since = (int64_t)(now_realtime() / USEC_PER_SEC) };
        _cleanup_free_ char *text = NULL;
        char plain[ETCD_WHY_MAX];
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = text_vformat(&text, format, arguments);
        va_end(arguments);
        if (r >= 0)
                r = ctl_who(ctl, &deed.who);
        if (r >= 0) {
                foreign_text(text, strlen(text), plain, sizeof(plain)); /* as it will be read */
                r = text_set(&deed.reason, plain);
        }
        if (r < 0)
                return log_error_errno(r, "writing down who does this: %m");

        *ret = deed;
        deed = (Deed) {};
        return 0;
}

int ctl_note(PolicyView *view, const Deed *deed)
{
        return view->damaged ? 0 : policy_note(&view->policy, deed);
}

int ctl_note_edit(_unused_ Semaphore *semaphore, PolicyView *view, _unused_ int64_t revision,
                  void *userdata)
{
        return ctl_note(view, userdata);
}

static int log_json(const Policy *policy)
{
        json_auto_t *array = json_array();
        int r = 0;

        for (size_t i = 0; i < policy->n_deeds; i++)
                r |= json_array_append_new(array, json_pack("{s:I, s:s, s:s}", "time",
                                                            (json_int_t)policy->deeds[i].since,
                                                            "who", policy->deeds[i].who, "what",
                                                            policy->deeds[i].reason));
        return ctl_print(r < 0 ? NULL : json_incref(array));
}

int verb_log(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(ctl_view_done) CtlView view = {};
        _cleanup_(ctl_done) Ctl ctl = {};
        const Policy *policy = &view.policy.policy;
        char when[CTL_TIME_MAX];
        int r;

        r = ctl_open(&ctl);
        if (r >= 0)
                r = ctl_read(&ctl, false, &view);
        if (r < 0)
                return r;
        if (!view.policy.kept)
                return log_error_return(-EOPNOTSUPP,
                                        "Error reading the log: only etcd v3 keeps one:"
                                        " see ETCD_API in locksmithd(8)");
        if (ctl_json())
                return log_json(policy);

        for (size_t i = 0; i < policy->n_deeds; i++) {
                const Deed *deed = &policy->deeds[i];

                ctl_printf(stdout, ctl_width(), INDENT, "%s  %s: %s",
                           ctl_time((usec_t)deed->since * USEC_PER_SEC, when), deed->who,
                           deed->reason);
        }
        return EXIT_DONE;
}
