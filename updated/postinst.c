#include <stdio.h>

#include "base/hooks.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "postinst.h"

#define PLACE "/run/updated/slot" /* what is mounted there is seen by the programs only */

struct Postinst {
        sd_event *event;
        sd_event_source *end; /* tells it, when there is nothing to wait for */
        const char *root;
        Process *process;
        Hooks *hooks;
        TextList helper;      /* updated-postinst and its options */
        TextList environment; /* beyond what every hook gets */
        usec_t time_limit;
        char last[PROCESS_LINE_MAX];
        UpdateFailure failure;
        void (*on_end)(int error, const UpdateFailure *failure, void *userdata);
        void *userdata;
};

static const struct {
        const char *upper, *lower;
} proxies[] = {
        { "ALL_PROXY", "all_proxy" },
        { "HTTP_PROXY", "http_proxy" },
        { "HTTPS_PROXY", "https_proxy" },
        { "NO_PROXY", "no_proxy" },
};

Postinst *postinst_cancel(Postinst *p)
{
        if (!p)
                return NULL;

        process_kill(p->process);
        hooks_cancel(p->hooks);
        sd_event_source_disable_unref(p->end);
        sd_event_unref(p->event);
        text_list_done(&p->helper);
        text_list_done(&p->environment);
        update_failure_done(&p->failure);
        free(p);
        return NULL;
}

static int variable_add(TextList *list, const char *name, const char *value)
{
        _cleanup_free_ char *entry = NULL;
        int r;

        if (is_empty(value))
                return 0;
        r = text_format(&entry, "%s=%s", name, value);
        return r < 0 ? r : text_list_add(list, entry);
}

int proxy_environment(const Transport *transport, TextList *ret)
{
        _cleanup_(text_list_done) TextList list = {};
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(proxies) && r >= 0; i++) {
                bool exceptions = i == ELEMENTSOF(proxies) - 1;
                const char *value = exceptions ? transport->no_proxy : transport->proxy;
                const char *lower = value ? value : getenv(proxies[i].lower);
                const char *upper = value ? value : getenv(proxies[i].upper);

                r = variable_add(&list, proxies[i].lower, lower ? lower : upper);
                if (r >= 0)
                        r = variable_add(&list, proxies[i].upper, upper ? upper : lower);
        }
        if (r < 0)
                return r;

        *ret = list;
        list = (TextList) {};
        return 0;
}

static int on_end_now(_unused_ sd_event_source *source, void *userdata)
{
        Postinst *p = userdata;

        p->on_end(p->failure.code == UPDATE_ERROR_NONE ? 0 : -EIO, &p->failure, p->userdata);
        return 0;
}

/* Not at once: the caller frees what called us. */
static void postinst_end(Postinst *p)
{
        int r = sd_event_add_defer(p->event, &p->end, on_end_now, p);

        if (r < 0)
                (void)sd_event_exit(p->event, r); /* it would never end */
}

static void on_line(const char *line, void *userdata)
{
        Postinst *p = userdata;

        (void)snprintf(p->last, sizeof(p->last), "%s", line); /* fits */
        log_info("postinst: %s", line);
}

static void on_hook_line(const char *line, _unused_ void *userdata)
{
        log_info("post-install: %s", line);
}

static void on_hooks_done(const char *why, void *userdata)
{
        Postinst *p = userdata;

        p->hooks = NULL; /* may be gone after this call */
        if (why)
                (void)update_failure_set(&p->failure, 0, UPDATE_ERROR_POSTINST,
                                         "%s; the new version is not activated", why);
        postinst_end(p);
}

static int hooks_begin(Postinst *p)
{
        return hooks_start(p->event,
                           &(HooksRequest) {
                                   .root = p->root,
                                   .directory = HOOKS_POST_INSTALL,
                                   .environment = (const char *const *)p->environment.items,
                                   .prefix = (const char *const *)p->helper.items,
                                   .time_limit = p->time_limit,
                                   .on_line = on_hook_line,
                                   .on_done = on_hooks_done,
                                   .userdata = p,
                           },
                           &p->hooks);
}

static void postinst_refuse(Postinst *p, int status, const char *why)
{
        UpdateErrorCode code = status == POSTINST_STATUS_FIRMWARE ? UPDATE_ERROR_POSTINST_FIRMWARE
                                                                  : UPDATE_ERROR_POSTINST;

        (void)update_failure_set(&p->failure, 0, code,
                                 "the postinst of the new image: %s%s%s%s; the new version is not "
                                 "activated",
                                 why,
                                 code == UPDATE_ERROR_POSTINST_FIRMWARE
                                         ? ", which says that the host booted from the second "
                                           "firmware"
                                         : "",
                                 *p->last ? ": " : "", p->last);
        postinst_end(p);
}

static void on_own_end(int status, const char *why, void *userdata)
{
        Postinst *p = userdata;
        int r;

        p->process = NULL; /* may be gone after this call */
        if (why) {
                postinst_refuse(p, status, why);
                return;
        }
        r = hooks_begin(p);
        if (r < 0) {
                (void)update_failure_set(&p->failure, 0, UPDATE_ERROR_POSTINST,
                                         HOOKS_POST_INSTALL ": %s", strerror(-r));
                postinst_end(p);
        }
}

static int own_begin(Postinst *p)
{
        _cleanup_(text_list_done) TextList environment = {};
        int r;

        r = hooks_environment((const char *const *)p->environment.items, &environment);
        if (r < 0)
                return r;
        return process_start(p->event,
                             &(ProcessRequest) {
                                     .arguments = (const char *const *)p->helper.items,
                                     .environment = (const char *const *)environment.items,
                                     .time_limit = p->time_limit,
                                     .on_line = on_line,
                                     .on_end = on_own_end,
                                     .userdata = p,
                             },
                             &p->process);
}

static int helper_fill(Postinst *p, const PostinstRequest *request, const char *place)
{
        _cleanup_free_ char *target = NULL, *offset = NULL, *size = NULL, *device = NULL,
                            *directory = NULL;
        int r;

        if (text_format(&target, "--target=/proc/%d/fd/%d", (int)getpid(), request->slot_fd) < 0
            || text_format(&offset, "--offset=%llu", (unsigned long long)request->slot_offset) < 0
            || text_format(&size, "--size=%llu", (unsigned long long)request->slot_size) < 0
            || text_format(&device, "--device=%s", request->device) < 0
            || text_format(&directory, "--directory=%s", place) < 0)
                return -ENOMEM;

        r = text_list_add(&p->helper, request->program);
        for (size_t i = 0; i < 5 && r >= 0; i++)
                r = text_list_add(&p->helper, (const char *const[]) { target, offset, size, device,
                                                                      directory }[i]);
        if (r >= 0 && !is_empty(request->root))
                r = text_list_add(&p->helper, "--lab"); /* nothing there belongs to the host */
        return r;
}

static int environment_fill(Postinst *p, const PostinstRequest *request)
{
        int r;

        r = proxy_environment(request->transport, &p->environment);
        if (r >= 0)
                r = variable_add(&p->environment, "SLUICE_TO_VERSION", request->version);
        if (r >= 0)
                r = variable_add(&p->environment, "SLUICE_FROM_VERSION", request->previous);
        if (r >= 0)
                r = variable_add(&p->environment, "SLUICE_SLOT", request->slot);
        return r;
}

/* The place is the host's; only what is mounted on it is private. */
static int place_make(const char *root, char **ret)
{
        _cleanup_free_ char *place = NULL, *below = NULL;
        int r;

        r = root_join(root, PLACE, &place);
        if (r >= 0)
                r = text_format(&below, "%s/", place);
        if (r >= 0)
                r = parents_make(below, 0755);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(place);
        return 0;
}

int postinst_start(sd_event *event, const PostinstRequest *request, Postinst **ret)
{
        _cleanup_(postinst_cancel_p) Postinst *p = calloc(1, sizeof(Postinst));
        _cleanup_free_ char *place = NULL;
        int r;

        if (!p)
                return -ENOMEM;
        *p = (Postinst) {
                .event = sd_event_ref(event),
                .root = request->root,
                .time_limit = request->time_limit,
                .on_end = request->on_end,
                .userdata = request->userdata,
        };
        r = place_make(request->root, &place);
        if (r >= 0)
                r = helper_fill(p, request, place);
        if (r >= 0)
                r = environment_fill(p, request);
        if (r >= 0)
                r = request->own ? own_begin(p) : hooks_begin(p);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(p);
        return 0;
}
