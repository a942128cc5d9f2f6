#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "ctl.h"

#define DAYS_DEFAULT 14
#define OPENINGS_MAX 2000 /* more in one range are not printed */

static const char *arg_from = NULL, *arg_to = NULL;

const Option simulate_options[] = {
        { "from", 0, OPTION_TEXT, &arg_from, "TIME", "YYYY-MM-DD [HH:MM], default: now", 0 },
        { "to", 0, OPTION_TEXT, &arg_to, "TIME", "default: two weeks later", 0 },
        {},
};

/* Local time, as windows are. */
static int time_parse(const char *text, usec_t *ret)
{
        static const char *const formats[] = { "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };

        for (size_t i = 0; i < ELEMENTSOF(formats); i++) {
                struct tm when = { .tm_isdst = -1 };
                const char *end = strptime(text, formats[i], &when);
                time_t seconds = end && !*end ? mktime(&when) : -1;

                if (seconds >= 0) {
                        *ret = (usec_t)seconds * USEC_PER_SEC;
                        return 0;
                }
        }

        return -EINVAL;
}

static int range_read(usec_t *ret_from, usec_t *ret_to)
{
        usec_t from = now_realtime(), to;

        if (arg_from && time_parse(arg_from, &from) < 0)
                return program_usage("--from: \"%s\" is no time, it is written YYYY-MM-DD HH:MM",
                                     arg_from);
        to = from + DAYS_DEFAULT * USEC_PER_DAY;
        if (arg_to && time_parse(arg_to, &to) < 0)
                return program_usage("--to: \"%s\" is no time, it is written YYYY-MM-DD HH:MM",
                                     arg_to);
        if (to < from)
                return program_usage("--to is before --from");

        *ret_from = from;
        *ret_to = to;
        return 0;
}

static int opening_print(json_t *array, usec_t opens, usec_t closes)
{
        char first[CTL_TIME_MAX], last[CTL_TIME_MAX], length[TIMESPAN_MAX];

        if (array)
                return json_array_append_new(
                        array, json_pack("{s:I, s:I}", "opens", (json_int_t)(opens / USEC_PER_SEC),
                                         "closes", (json_int_t)(closes / USEC_PER_SEC)));

        printf("%s  to  %s  (%s)\n", ctl_time(opens, first), ctl_time(closes, last),
               timespan_format(closes - opens, length));
        return 0;
}

/* Prints every time in the range at which it is open. */
static int openings_print(const Windows *windows, usec_t from, usec_t to, json_t *array)
{
        usec_t opens = windows_is_open(windows, from) ? from : windows_next_change(windows, from);
        int r = 0;

        for (unsigned i = 0; opens <= to && i < OPENINGS_MAX && r >= 0; i++) {
                usec_t change = windows_next_change(windows, opens);

                /* The last moment of a window belongs to it. */
                r = opening_print(array, opens, change == USEC_INFINITY ? to : change - 1);
                if (change == USEC_INFINITY)
                        break;
                opens = windows_next_change(windows, change);
        }
        return r;
}

int verb_simulate(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(settings_done) Settings settings = {};
        json_auto_t *array = ctl_json() ? json_array() : NULL;
        usec_t from = 0, to = 0;
        int r;

        r = ctl_settings(&settings); /* first: they may set the time zone */
        if (r >= 0)
                r = ctl_reboot_settings(&settings);
        if (r < 0)
                return r;
        r = range_read(&from, &to);
        if (r != 0)
                return r;

        if (settings.strategy == STRATEGY_OFF)
                log_notice("the strategy is off: there will be no reboot");
        else
                r = openings_print(&settings.windows, from, to, array);
        if (r < 0)
                return log_error_errno(-ENOMEM, "%m");
        return array ? ctl_print(json_incref(array)) : EXIT_DONE;
}
