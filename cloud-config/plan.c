#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/io.h"
#include "base/text.h"
#include "base/update-conf.h"
#include "cloud-config/drop-in.h"
#include "cloud-config/plan.h"

void plan_done(Plan *plan)
{
        for (size_t i = 0; i < _FILE_MAX; i++) {
                free(plan->files[i].old);
                free(plan->files[i].new);
        }
        state_done(&plan->state);
        text_list_done(&plan->warnings);
        *plan = (Plan) {};
}

bool planned_file_changes(const PlannedFile *file)
{
        return !streq_null(file->old, file->new) || (file->new && file->old_mode != file->new_mode);
}

bool plan_is_empty(const Plan *plan)
{
        for (size_t i = 0; i < _FILE_MAX; i++)
                if (planned_file_changes(&plan->files[i]))
                        return false;
        return plan->mask == MASK_KEEP && plan->steps == 0;
}

/* Says why there is no plan. Returns error, or -ENOMEM when even that fails. */
static _printf_(3, 4) int plan_refuse(char **ret_why, int error, const char *format, ...)
{
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = text_vformat(ret_why, format, arguments);
        va_end(arguments);
        return r < 0 ? r : error;
}

static _printf_(2, 3) int plan_warn(Plan *plan, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = text_vformat(&text, format, arguments);
        va_end(arguments);
        return r < 0 ? r : text_list_add(&plan->warnings, text);
}

static int root_lstat(const char *root, const char *path, struct stat *ret)
{
        _cleanup_free_ char *full = NULL;
        int r;

        r = root_join(root, path, &full);
        if (r < 0)
                return r;

        return RET_ERRNO(lstat(full, ret));
}

/* Reads what is there now. */
static int planned_file_read(const char *root, const char *path, mode_t mode, PlannedFile *ret,
                             char **ret_why)
{
        PlannedFile file = { .path = path, .new_mode = mode, .uid = geteuid(), .gid = getegid() };
        struct stat status;
        int r;

        r = root_lstat(root, path, &status);
        if (r == -ENOENT) {
                *ret = file;
                return 0;
        }
        if (r == -ENOTDIR)
                return plan_refuse(ret_why, r, "%s: a directory above it is a file", path);
        if (r >= 0 && S_ISLNK(status.st_mode))
                return plan_refuse(ret_why, -ELOOP,
                                   "%s is a symbolic link, only a regular file is changed", path);
        if (r >= 0 && !S_ISREG(status.st_mode))
                return plan_refuse(ret_why, -EINVAL, "%s is not a regular file", path);
        if (r >= 0)
                r = file_read(root, path, IO_SMALL_FILE_MAX, &file.old, NULL);
        if (r < 0)
                return plan_refuse(ret_why, r, "reading %s: %s", path,
                                   r == -EBADMSG ? "it has NUL bytes" : strerror(-r));

        file.old_mode = status.st_mode & 07777;
        file.uid = status.st_uid;
        file.gid = status.st_gid;
        *ret = file;
        return 0;
}

/*
 * update.conf: what the document names is set, what we once set and it no longer names goes back.
 */

/* Is the line of that variable "NAME=value", just as we write it? */
static int line_is(const char *text, size_t id, const char *value, bool *ret)
{
        _cleanup_free_ char *line = NULL, *wanted = NULL;
        int r;

        r = update_conf_line(text, keys[id].variable, &line);
        if (r < 0)
                return r;
        if (text_format(&wanted, "%s=%s", keys[id].variable, value) < 0)
                return -ENOMEM;

        *ret = streq_null(line, wanted);
        return 0;
}

/* The document names the variable: it becomes ours, unless it is there already and not from us. */
static int variable_plan_set(const char *text, const char *value, size_t id, State *state)
{
        bool there;
        int r;

        r = line_is(text, id, value, &there);
        if (r < 0 || (there && !state->set[id]))
                return r;

        if (!state->set[id]) {
                r = update_conf_line(text, keys[id].variable, &state->before[id]);
                if (r < 0)
                        return r;
        }
        return text_set(&state->set[id], value);
}

/* Decides about one variable; the assignment is made when *ret_assign. */
static int variable_plan(const char *text, const Setting *setting, size_t id, State *state,
                         Assignment *assignment, bool *ret_assign)
{
        int r;

        *assignment = (Assignment) { .key = keys[id].variable, .value = setting->value };
        *ret_assign = setting->value != NULL;
        if (setting->value)
                return variable_plan_set(text, setting->value, id, state);
        if (!state->set[id])
                return 0;

        /* Changed by somebody else since: then it is theirs. */
        r = line_is(text, id, state->set[id], ret_assign);
        if (r < 0)
                return r;
        if (state->before[id])
                assignment->value = state->before[id] + strcspn(state->before[id], "=") + 1;
        return text_set(&state->set[id], NULL);
}

static int update_conf_plan(const Settings *settings, Plan *plan, bool changed[static _KEY_MAX],
                            char **ret_why)
{
        PlannedFile *file = &plan->files[FILE_UPDATE_CONF];
        const char *old = file->old ? file->old : "", *why = NULL;
        Assignment assignments[_KEY_MAX];
        unsigned line = 0;
        size_t n = 0;
        int r;

        if (file->old)
                file->new_mode = file->old_mode;
        for (size_t id = 0; id < _KEY_MAX; id++) {
                bool assign;

                if (keys[id].output != OUTPUT_UPDATE_CONF)
                        continue;
                r = variable_plan(old, &settings->items[id], id, &plan->state, &assignments[n],
                                  &assign);
                if (r < 0)
                        return r;
                changed[id] = assign;
                n += assign;
        }

        r = update_conf_merge(old, assignments, n, &file->new, &line, &why);
        if (r == -EBADMSG)
                return plan_refuse(ret_why, r, "%s:%u: %s", file->path, line, why);
        if (r < 0)
                return r;

        /* A file of ours alone goes with its last line. */
        if (!*file->new && (!file->old || *file->old)) {
                free(file->new);
                file->new = NULL;
        }
        return 0;
}

/* Of the variables that were touched, those whose line is really another one now. */
static int update_conf_compare(const PlannedFile *file, bool changed[static _KEY_MAX])
{
        int r;

        for (size_t id = 0; id < _KEY_MAX; id++) {
                _cleanup_free_ char *before = NULL, *after = NULL;

                if (!changed[id])
                        continue;
                r = update_conf_line(file->old ? file->old : "", keys[id].variable, &before);
                if (r >= 0)
                        r = update_conf_line(file->new ? file->new : "", keys[id].variable, &after);
                if (r < 0)
                        return r;
                changed[id] = !streq_null(before, after);
        }

        return 0;
}

/*
 * The drop-in.
 */

static int drop_in_plan(const Settings *settings, Plan *plan)
{
        PlannedFile *file = &plan->files[FILE_DROP_IN];
        int r;

        r = drop_in_render(settings, &file->new, &file->secret);
        if (r < 0)
                return r;

        file->new_mode = file->secret ? 0600 : 0644;
        if (!file->new && file->old && !plan->state.drop_in)
                return text_set(&file->new, file->old); /* of somebody else */
        plan->state.drop_in = file->new != NULL;
        if (file->old)
                file->secret = true; /* what is there may hold an earlier password */
        return 0;
}

/*
 * The mask, and the units.
 */

typedef enum UnitLink {
        LINK_NONE, /* nothing there */
        LINK_MASK, /* a link to /dev/null, or an empty file */
        LINK_UNIT, /* a real unit */
} UnitLink;

static int unit_link_read(const char *root, const char *path, UnitLink *ret)
{
        _cleanup_free_ char *full = NULL;
        char target[sizeof("/dev/null") + 1];
        struct stat status;
        ssize_t n;
        int r;

        *ret = LINK_NONE;
        r = root_lstat(root, path, &status);
        if (r == -ENOENT || r == -ENOTDIR)
                return 0;
        if (r < 0)
                return r;

        r = root_join(root, path, &full);
        if (r < 0)
                return r;
        n = S_ISLNK(status.st_mode) ? readlink(full, target, sizeof(target)) : 0;
        if (n < 0)
                return -errno;

        *ret = LINK_UNIT;
        if (S_ISREG(status.st_mode) ? status.st_size == 0
                                    : n == (ssize_t)strlen("/dev/null")
                                              && memcmp(target, "/dev/null", (size_t)n) == 0)
                *ret = LINK_MASK;
        return 0;
}

static int mask_plan_off(Plan *plan, UnitLink runtime, UnitLink admin)
{
        if (runtime == LINK_UNIT)
                return plan_warn(plan, RUNTIME_UNIT_PATH
                                 " is a unit file: locksmithd is stopped, but can not be masked");
        if (runtime == LINK_MASK || admin == LINK_MASK)
                return 0;

        plan->mask = MASK_SET;
        plan->state.masked = true;
        return 0;
}

static int mask_plan(const char *root, const char *strategy, Plan *plan, bool *ret_startable,
                     char **ret_why)
{
        UnitLink runtime = LINK_NONE, admin = LINK_NONE;
        int r;

        r = unit_link_read(root, RUNTIME_UNIT_PATH, &runtime);
        if (r >= 0)
                r = unit_link_read(root, ADMIN_UNIT_PATH, &admin);
        if (r < 0)
                return plan_refuse(ret_why, r, "looking for a mask of %s: %s", LOCKSMITHD_UNIT,
                                   strerror(-r));

        *ret_startable = false;
        if (strategy && streq(strategy, "off"))
                return mask_plan_off(plan, runtime, admin);

        if (runtime == LINK_MASK && plan->state.masked)
                plan->mask = MASK_REMOVE;
        else if (runtime == LINK_MASK || admin == LINK_MASK)
                return strategy ? plan_warn(
                               plan, "locksmithd is masked, and not by cloud-config: it stays so "
                                     "(systemctl unmask locksmithd)")
                                : 0;

        plan->state.masked = false;
        *ret_startable = true;
        return 0;
}

/* Warns of settings that the drop-in can not bring into force. */
static int overrides_plan(const char *root, const Settings *settings, Plan *plan, char **ret_why)
{
        _cleanup_(conf_done) Conf conf = {};
        int r;

        r = conf_read(root, NULL, NULL, &conf);
        if (r < 0)
                return plan_refuse(ret_why, r, "reading update.conf: %s", strerror(-r));

        for (size_t id = 0; id < _KEY_MAX; id++) {
                const char *const names[] = { keys[id].stronger, NULL };
                ConfValue value = conf_find(&conf, names);

                if (!value.text || !settings->items[id].value)
                        continue;
                r = plan_warn(plan, "locksmith.%s has no effect: %s in %s:%u is stronger",
                              keys[id].name, value.name, value.path, value.line);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* startable: locksmithd may run, it is neither off nor masked by somebody else. */
static void steps_plan(Plan *plan, const bool changed[static _KEY_MAX], bool off, bool startable)
{
        bool drop_in = planned_file_changes(&plan->files[FILE_DROP_IN]),
             strategy = changed[KEY_REBOOT_STRATEGY] || plan->mask != MASK_KEEP;

        /* What is left of an earlier run, unless it was overtaken. */
        plan->steps = plan->state.pending & ~(unsigned)STEP_STOP_LOCKSMITHD;
        if (off)
                plan->steps |= plan->state.pending & STEP_STOP_LOCKSMITHD;
        if (!startable)
                plan->steps &= ~(unsigned)STEP_RESTART_LOCKSMITHD;
        plan->state.pending = 0;

        if (drop_in || plan->mask != MASK_KEEP)
                plan->steps |= STEP_RELOAD;
        if (off && strategy)
                plan->steps |= STEP_STOP_LOCKSMITHD;
        if (startable && (drop_in || strategy))
                plan->steps |= STEP_RESTART_LOCKSMITHD;
        if (changed[KEY_GROUP] || changed[KEY_SERVER])
                plan->steps |= STEP_RESTART_ENGINE;
}

static int files_read(const char *root, Plan *plan, char **ret_why)
{
        static const struct {
                const char *path;
                mode_t mode;
        } table[_FILE_MAX] = {
                [FILE_STATE] = { STATE_PATH, 0600 },
                [FILE_UPDATE_CONF] = { CONF_PATH, 0644 },
                [FILE_DROP_IN] = { CONF_DROP_IN, 0644 },
        };
        int r;

        for (size_t i = 0; i < _FILE_MAX; i++) {
                r = planned_file_read(root, table[i].path, table[i].mode, &plan->files[i], ret_why);
                if (r < 0)
                        return r;
        }

        r = state_read(root, &plan->state);
        if (r == -EBADMSG)
                return plan_refuse(ret_why, r, "%s is damaged; remove it to begin anew",
                                   STATE_PATH);
        if (r < 0)
                return plan_refuse(ret_why, r, "reading %s: %s", STATE_PATH, strerror(-r));
        return 0;
}

int plan_make(const char *root, const Settings *settings, Plan *ret, char **ret_why)
{
        _cleanup_(plan_done) Plan plan = {};
        const char *strategy = settings->items[KEY_REBOOT_STRATEGY].value;
        bool off = strategy && streq(strategy, "off"), startable, changed[_KEY_MAX] = {};
        int r;

        *ret_why = NULL;
        r = files_read(root, &plan, ret_why);
        if (r >= 0)
                r = update_conf_plan(settings, &plan, changed, ret_why);
        if (r >= 0)
                r = update_conf_compare(&plan.files[FILE_UPDATE_CONF], changed);
        if (r >= 0)
                r = drop_in_plan(settings, &plan);
        if (r >= 0)
                r = mask_plan(root, strategy, &plan, &startable, ret_why);
        if (r >= 0)
                r = overrides_plan(root, settings, &plan, ret_why);
        if (r < 0)
                return r;

        steps_plan(&plan, changed, off, startable);
        r = state_render(&plan.state, &plan.files[FILE_STATE].new);
        if (r < 0)
                return r;

        *ret = plan;
        plan = (Plan) {};
        return 0;
}
