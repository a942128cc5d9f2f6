#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/hooks.h"
#include "base/io.h"
#include "base/text.h"

#define WHY_MAX (3 * PROCESS_LINE_MAX)

/* What a hook needs of our environment; passwords are none of it. */
static const char *const passed[] = { "PATH", "HOME", "LANG", "DBUS_SYSTEM_BUS_ADDRESS" };

struct Hooks {
        sd_event *event;
        sd_event_source *next; /* starts the next one */
        HooksRequest request;
        TextList names, environment, prefix;
        size_t current;
        Process *process;
        char last[PROCESS_LINE_MAX]; /* line that it printed */
};

Hooks *hooks_cancel(Hooks *h)
{
        if (!h)
                return NULL;

        process_kill(h->process);
        sd_event_source_disable_unref(h->next);
        sd_event_unref(h->event);
        text_list_done(&h->names);
        text_list_done(&h->environment);
        text_list_done(&h->prefix);
        free(h);
        return NULL;
}
DEFINE_CLEANUP(Hooks *, hooks_cancel);

/* What an editor has left is none. */
static bool is_program(int directory, const char *name)
{
        struct stat st;

        return name[strlen(name) - 1] != '~' && fstatat(directory, name, &st, 0) == 0
               && S_ISREG(st.st_mode) && (st.st_mode & 0111);
}

int hooks_list(const char *root, const char *directory, TextList *ret)
{
        _cleanup_close_ int fd = root_open(root, directory, O_RDONLY | O_DIRECTORY, 0);
        _cleanup_(text_list_done) TextList all = {}, names = {};
        int r;

        if (fd < 0 && fd != -ENOENT)
                return fd;
        r = fd < 0 ? 0 : directory_names(fd, "*", &all);
        for (size_t i = 0; i < all.n_items && r >= 0; i++)
                if (is_program(fd, all.items[i]))
                        r = text_list_add(&names, all.items[i]);
        if (r >= 0 && names.n_items > HOOKS_MAX)
                r = -E2BIG;
        if (r < 0)
                return r;

        *ret = names;
        names = (TextList) {};
        return 0;
}

static void hooks_finish(Hooks *hooks, const char *why)
{
        _cleanup_(hooks_cancel_p) Hooks *h = hooks;

        h->request.on_done(why, h->request.userdata);
}

static void on_line(const char *line, void *userdata)
{
        char text[2 * PROCESS_LINE_MAX];
        Hooks *h = userdata;

        (void)snprintf(h->last, sizeof(h->last), "%s", line);
        (void)snprintf(text, sizeof(text), "%s: %s", h->names.items[h->current],
                       line); /* cut is fine */
        h->request.on_line(text, h->request.userdata);
}

static void hooks_fail(Hooks *h, const char *problem)
{
        char why[WHY_MAX];

        (void)snprintf(why, sizeof(why), "%s/%s: %s%s%s", h->request.directory,
                       h->names.items[h->current], problem, *h->last ? ": " : "",
                       h->last); /* cut is fine */
        hooks_finish(h, why);
}

static void on_end(_unused_ int status, const char *why, void *userdata)
{
        Hooks *h = userdata;
        int r;

        h->process = NULL; /* may be gone after this call */
        if (why) {
                hooks_fail(h, why);
                return;
        }

        h->current++;
        r = sd_event_source_set_enabled(h->next, SD_EVENT_ONESHOT);
        if (r < 0)
                hooks_finish(h, strerror(-r));
}

static int list_extend(TextList *list, const char *const *more)
{
        int r = 0;

        for (; more && *more && r >= 0; more++)
                r = text_list_add(list, *more);
        return r;
}

static int hooks_run_current(Hooks *h)
{
        _cleanup_free_ char *path = NULL, *file = NULL;
        _cleanup_(text_list_done) TextList arguments = {};
        int r;

        if (text_format(&path, "%s/%s", h->request.directory, h->names.items[h->current]) < 0)
                return -ENOMEM;
        r = root_join(h->request.root, path, &file);
        if (r >= 0)
                r = list_extend(&arguments, (const char *const *)h->prefix.items);
        if (r >= 0)
                r = text_list_add(&arguments, file);
        if (r < 0)
                return r;

        *h->last = 0;
        return process_start(h->event,
                             &(ProcessRequest) {
                                     .arguments = (const char *const *)arguments.items,
                                     .environment = (const char *const *)h->environment.items,
                                     .time_limit = h->request.time_limit,
                                     .on_line = on_line,
                                     .on_end = on_end,
                                     .userdata = h,
                             },
                             &h->process);
}

static int on_next(_unused_ sd_event_source *source, void *userdata)
{
        Hooks *h = userdata;
        int r;

        if (h->current == h->names.n_items) {
                hooks_finish(h, NULL);
                return 0;
        }

        r = hooks_run_current(h);
        if (r < 0)
                hooks_fail(h, strerror(-r));
        return 0;
}

static int environment_pass(TextList *list, const char *name)
{
        _cleanup_free_ char *entry = NULL;
        const char *value = getenv(name);

        if (!value)
                return 0;
        if (text_format(&entry, "%s=%s", name, value) < 0)
                return -ENOMEM;
        return text_list_add(list, entry);
}

int hooks_environment(const char *const *more, TextList *ret)
{
        _cleanup_(text_list_done) TextList list = {};
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(passed) && r >= 0; i++)
                r = environment_pass(&list, passed[i]);
        if (r >= 0)
                r = list_extend(&list, more);
        if (r < 0)
                return r;

        *ret = list;
        list = (TextList) {};
        return 0;
}

static int hooks_prepare(Hooks *h)
{
        int r;

        r = hooks_list(h->request.root, h->request.directory, &h->names);
        if (r >= 0)
                r = hooks_environment(h->request.environment, &h->environment);
        if (r >= 0)
                r = list_extend(&h->prefix, h->request.prefix);
        if (r >= 0)
                r = sd_event_add_defer(h->event, &h->next, on_next, h);
        return r;
}

int hooks_start(sd_event *event, const HooksRequest *request, Hooks **ret)
{
        _cleanup_(hooks_cancel_p) Hooks *h = calloc(1, sizeof(Hooks));
        int r;

        if (!h)
                return -ENOMEM;
        *h = (Hooks) { .event = sd_event_ref(event), .request = *request };
        r = hooks_prepare(h);
        if (r < 0)
                return r;

        h->request.environment = h->request.prefix = NULL; /* borrowed no longer */
        *ret = TAKE_PTR(h);
        return 0;
}
