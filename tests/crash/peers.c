#include <stdio.h>

#include "base/base64.h"
#include "base/http.h"
#include "base/text.h"
#include "crash/check.h"
#include "crash/peers.h"
#include "manager.h"

#define PUSH_SIZE (64 * KIB) /* as bytes come from the network */

static const Release *offered;
static unsigned n_continued, n_disappointed;
static unsigned n_reboots;

void peers_offer(const Release *release)
{
        offered = release;
}

unsigned peers_continued(void)
{
        return n_continued;
}

unsigned peers_disappointed(void)
{
        return n_disappointed;
}

unsigned peers_reboots(void)
{
        return n_reboots;
}

struct Http {
        sd_event *event;
};

struct HttpRequest {
        sd_event_source *answer;
        HttpOnDone on_done;
        void *userdata;
        bool check;
};

int http_new(sd_event *event, Http **ret)
{
        Http *http = calloc(1, sizeof(*http));

        if (!http)
                return -ENOMEM;
        http->event = event;
        *ret = http;
        return 0;
}

Http *http_free(Http *http)
{
        free(http);
        return NULL;
}

HttpRequest *http_cancel(HttpRequest *request)
{
        if (!request)
                return NULL;
        sd_event_source_disable_unref(request->answer);
        free(request);
        return NULL;
}

static char *answer_make(bool check)
{
        _cleanup_free_ char *sha256 = NULL, *package_sha256 = NULL;
        char *answer;

        CHECK(hex_encode(offered->package_sha256, SHA256_SIZE, &package_sha256) >= 0);
        CHECK(base64_encode(offered->sha256, SHA256_SIZE, &sha256) >= 0);
        CHECK(text_format(&answer,
                          "<response protocol=\"3.0\"><app "
                          "appid=\"e96281a6-d1af-4bde-9a0a-97b76e56dc57\" status=\"ok\">%s"
                          "<urls><url codebase=\"http://localhost/\"/></urls><manifest "
                          "version=\"%s\"><packages><package name=\"p\" size=\"%zu\"/>"
                          "<package name=\"" PACKAGE_NAME ".gz\" size=\"%zu\" "
                          "hash_sha256=\"%s\"/></packages>"
                          "<actions><action event=\"postinstall\" sha256=\"%s\"/></actions>"
                          "</manifest>%s</app></response>",
                          check ? "<updatecheck status=\"ok\">"
                                : "<event status=\"ok\"/>"
                                  "<ignored>",
                          offered->version, offered->payload_size, offered->package_size,
                          package_sha256, sha256, check ? "</updatecheck>" : "</ignored>")
              >= 0);
        return answer;
}

static int on_answer(_unused_ sd_event_source *source, void *userdata)
{
        HttpRequest request = *(HttpRequest *)userdata;
        _cleanup_free_ char *body = answer_make(request.check);
        HttpResult result = { .status = 200, .detail = "", .body = body };

        result.body_size = strlen(body);
        (void)http_cancel(userdata);
        request.on_done(&result, request.userdata);
        return 0;
}

int http_start(Http *http, const HttpParameters *parameters, HttpRequest **ret)
{
        HttpRequest *request = calloc(1, sizeof(*request));

        if (!request)
                return -ENOMEM;
        *request = (HttpRequest) {
                .on_done = parameters->on_done,
                .userdata = parameters->userdata,
                .check = strstr(parameters->body, "<updatecheck"),
        };
        CHECK(sd_event_add_defer(http->event, &request->answer, on_answer, request) >= 0);
        if (ret)
                *ret = request;
        return 0;
}

bool http_url_is_valid(const char *text)
{
        return after_prefix(text, "http://");
}

int http_url_for_log(const char *url, char **ret)
{
        return text_set(ret, url);
}

struct Worker {
        sd_event_source *work;
        WorkerHooks hooks;
        UpdatePlan plan;
        PayloadKeys *keys;
        int target_fd, kernel_fd, checkpoint_fd;
        WorkerFacts facts;
};

Worker *worker_free(Worker *worker)
{
        if (!worker)
                return NULL;
        sd_event_source_disable_unref(worker->work);
        payload_keys_free(worker->keys);
        update_plan_done(&worker->plan);
        free(worker);
        return NULL;
}

/* A checkpoint behind each operation; what is before it is not fetched again. */
static int worker_push(Worker *worker, PayloadApply *apply, bool package, PayloadError *why)
{
        const char *data = package ? offered->package : offered->payload;
        size_t size = package ? offered->package_size : offered->payload_size;
        int r = 0;

        for (size_t done = 0, n; done < size && r >= 0; done += n) {
                uint64_t wanted;

                n = MIN_OF(PUSH_SIZE, size - done);
                r = payload_apply_push(apply, data + done, n, why);
                wanted = payload_apply_resume_offset(apply);
                if (r < 0 || wanted <= done + n)
                        continue;
                CHECK(payload_apply_resume(apply) >= 0);
                worker->facts.continued = wanted;
                done = wanted - n;
                n_continued++;
        }

        if (r >= 0)
                r = payload_apply_finish(apply, why);
        if (r < 0)
                return r;
        worker->facts.hashed = true;
        memcpy(worker->facts.image_sha256, payload_apply_image_sha256(apply), SHA256_SIZE);
        return 0;
}

static int worker_apply(Worker *worker, PayloadError *why)
{
        _cleanup_(payload_apply_free_p) PayloadApply *apply = NULL;
        bool package = worker->plan.target_size == 0;
        const PayloadApplyParameters parameters = {
                .keys = worker->keys,
                .target = { .fd = worker->target_fd,
                            .offset = worker->plan.target_offset,
                            .size = worker->plan.target_size,
                            .resizable = package },
                .kernel = { .fd = worker->plan.kernel_size_max > 0 ? worker->kernel_fd : -1,
                            .size = worker->plan.kernel_size_max,
                            .resizable = true,
                            .optional = true },
                .size = worker->plan.size,
                .sha256 = worker->plan.sha256,
                .checkpoint_fd = worker->plan.checkpoint > 0 ? worker->checkpoint_fd : 0,
                .checkpoint_offset = worker->plan.checkpoint,
                .checkpoint_step = 1,
        };
        int r;

        worker->facts.continued = 0;
        r = payload_apply_new(&parameters, &apply);
        if (r >= 0)
                r = worker_push(worker, apply, package, why);
        return r;
}

/* As updated-worker has it: what does not hold what a checkpoint promised is written anew. */
static int worker_run(Worker *worker, PayloadError *why)
{
        int r = worker_apply(worker, why);

        if (r != -EBADMSG || worker->facts.continued == 0)
                return r;
        n_disappointed++;
        payload_error_done(why);
        return worker_apply(worker, why);
}

static int on_work(_unused_ sd_event_source *source, void *userdata)
{
        _cleanup_(update_failure_done) UpdateFailure failure = {};
        Worker *worker = userdata;
        PayloadError why = {};
        int r;

        r = worker_run(worker, &why);
        if (r < 0)
                (void)update_failure_set(&failure, r, update_error_from_payload(why.refusal), "%s",
                                         why.text ? why.text : strerror(-r));
        payload_error_done(&why);
        worker->hooks.on_progress(offered->payload_size, worker->hooks.userdata);
        worker->hooks.on_stage(WORKER_STAGE_VERIFY, worker->hooks.userdata);
        worker->hooks.on_end(r, &failure, worker->hooks.userdata);
        return 0;
}

/* It tells nothing of the payload: a plan with addresses needs no facts. */
const WorkerFacts *worker_facts(const Worker *worker)
{
        return &worker->facts;
}

int worker_start(sd_event *event, const WorkerParameters *parameters, const WorkerHooks *hooks,
                 Worker **ret)
{
        _cleanup_(worker_free_p) Worker *worker = calloc(1, sizeof(*worker));

        CHECK(worker);
        worker->hooks = *hooks;
        worker->target_fd = parameters->target_fd;
        worker->checkpoint_fd = parameters->checkpoint_fd;
        worker->kernel_fd = parameters->kernel_fd;
        CHECK(update_plan_parse(parameters->plan, &worker->plan) >= 0);
        CHECK(payload_keys_new(&worker->keys) >= 0);
        CHECK(payload_keys_add_pem(worker->keys, parameters->keys, strlen(parameters->keys)) >= 0);
        CHECK(sd_event_add_defer(event, &worker->work, on_work, worker) >= 0);
        *ret = TAKE_PTR(worker);
        return 0;
}

struct Postinst {
        sd_event_source *end;
        void (*on_end)(int error, const UpdateFailure *failure, void *userdata);
        void *userdata;
};

Postinst *postinst_cancel(Postinst *postinst)
{
        if (postinst)
                sd_event_source_disable_unref(postinst->end);
        free(postinst);
        return NULL;
}

static int on_postinst_end(_unused_ sd_event_source *source, void *userdata)
{
        const UpdateFailure none = {};
        Postinst *postinst = userdata;

        postinst->on_end(0, &none, postinst->userdata);
        return 0;
}

/* Nobody objects. */
int postinst_start(sd_event *event, const PostinstRequest *request, Postinst **ret)
{
        Postinst *postinst = calloc(1, sizeof(*postinst));

        CHECK(postinst);
        *postinst = (Postinst) { .on_end = request->on_end, .userdata = request->userdata };
        CHECK(sd_event_add_defer(event, &postinst->end, on_postinst_end, postinst) >= 0);
        *ret = postinst;
        return 0;
}

int manager_bus_open(_unused_ Manager *manager)
{
        return 0;
}

int manager_bus_reboot(_unused_ Manager *manager)
{
        n_reboots++;
        return 0;
}

void manager_emit_progress(_unused_ Manager *manager)
{
}

void manager_emit_status(_unused_ Manager *manager)
{
}

void manager_emit_changed(_unused_ Manager *manager, _unused_ const char *const *properties)
{
}
