/* The packages beside the payload: fetched one after another, each whole and durable before the slot may boot. */
#include "attempt-stages.h"
#include "base/log.h"
#include "base/text.h"
#include "keys.h"

int attempt_plan_packages(Attempt *attempt)
{
        _cleanup_(package_wishes_done) PackageWishes wishes = {};
        const AttemptContext *context = &attempt->context;
        int r;

        r = package_wishes_read(context->root, context->host, context->config, &wishes,
                                &attempt->failure);
        if (r >= 0)
                r = packages_plan(&attempt->response, &wishes, &attempt->packages,
                                  &attempt->failure);
        return r;
}

static PlannedPackage *attempt_package(Attempt *attempt)
{
        return &attempt->packages.items[attempt->package];
}

/* Whatever went wrong, it is the package that is told about; code and number say that it was one. */
static int package_refuse(Attempt *attempt, int error, const char *why)
{
        const PlannedPackage *package = attempt_package(attempt);

        attempt->package_fd = close_fd(attempt->package_fd);
        package_discard(attempt->context.root, package);
        return update_failure_set(&attempt->failure, error, UPDATE_ERROR_PACKAGE,
                                  "package %s.gz, which version %s needs on this host: %s",
                                  package->name, package->version, why);
}

/* On to the next one. Returns as a stage does. */
static int package_next(Attempt *attempt);

static void on_progress(uint64_t bytes, void *userdata)
{
        Attempt *attempt = userdata;

        attempt->bytes = attempt->plan.size + attempt->packages_done
                         + MIN_OF(bytes, attempt_package(attempt)->size);
        attempt->hooks.on_change(attempt, attempt->hooks.userdata);
}

static void on_stage(_unused_ WorkerStage stage, _unused_ void *userdata)
{
}

/* This one is in its place, whole. */
static void package_tick(Attempt *attempt)
{
        attempt->package_fd = close_fd(attempt->package_fd);
        attempt->packages_done += attempt_package(attempt)->size;
        attempt->package++;
}

static int package_finish(Attempt *attempt)
{
        const WorkerFacts *facts = worker_facts(attempt->worker);
        const PlannedPackage *package = attempt_package(attempt);
        int r;

        r = package_commit(attempt->context.root, package, attempt->package_fd,
                           facts->hashed ? facts->image_sha256 : NULL);
        if (r < 0)
                return package_refuse(attempt, r, strerror(-r));

        log_info("the image %s of version %s is in %s", package->name, package->version,
                 package->directory);
        package_tick(attempt);
        return 0;
}

static void on_end(int error, const UpdateFailure *failure, void *userdata)
{
        Attempt *attempt = userdata;

        error = error < 0 ? package_refuse(attempt, error, update_failure_text(failure))
                          : package_finish(attempt);
        attempt->worker = worker_free(attempt->worker);
        if (error >= 0)
                error = package_next(attempt);
        if (error != 0)
                attempt_stage_done(attempt, error);
}

static int package_fill_plan(const Attempt *attempt, const PlannedPackage *package,
                             UpdatePlan *plan)
{
        int r;

        *plan = (UpdatePlan) {
                .size = package->size,
                .announced = true,
                .failures_per_url = attempt->packages.failures_per_url,
                .now = attempt->plan.now,
        };
        memcpy(plan->sha256, package->sha256, SHA256_SIZE);
        r = text_set(&plan->version, package->version);
        for (size_t i = 0; i < package->urls.n_items && r >= 0; i++)
                r = text_list_add(&plan->urls, package->urls.items[i]);
        return r < 0 ? r : transport_copy(&attempt->context.config->transport, &plan->transport);
}

static int package_fetch(Attempt *attempt)
{
        const WorkerHooks hooks = {
                .on_stage = on_stage,
                .on_progress = on_progress,
                .on_end = on_end,
                .userdata = attempt,
        };
        _cleanup_(update_plan_done) UpdatePlan plan = {};
        _cleanup_free_ char *text = NULL, *keys = NULL;
        WorkerParameters parameters;
        int r;

        r = keys_read(attempt->context.root, &keys, &attempt->failure);
        if (r >= 0)
                r = package_fill_plan(attempt, attempt_package(attempt), &plan);
        if (r >= 0)
                r = update_plan_print(&plan, &text);
        if (r < 0)
                return r;

        parameters = (WorkerParameters) {
                .program = attempt->context.worker,
                .user = attempt_worker_user(attempt),
                .plan = text,
                .keys = keys,
                .target_fd = attempt->package_fd,
        };
        return worker_start(attempt->context.event, &parameters, &hooks, &attempt->worker);
}

static int package_make(Attempt *attempt)
{
        int r;

        r = package_begin(attempt->context.root, attempt_package(attempt), &attempt->package_fd);
        if (r < 0)
                return package_refuse(attempt, r, strerror(-r));
        attempt_set_status(attempt, UPDATE_STATUS_DOWNLOADING);
        return package_fetch(attempt);
}

/* What the image that was there hashes to by now. */
static void on_digest(int error, const uint8_t sha256[static SHA256_SIZE], void *userdata)
{
        Attempt *attempt = userdata;
        const PlannedPackage *package = attempt_package(attempt);
        bool same = error >= 0 && memcmp(sha256, attempt->package_sha256, SHA256_SIZE) == 0;

        attempt->package_digest = digest_file_free(attempt->package_digest);
        if (same) {
                log_info("the image %s of version %s is there already", package->name,
                         package->version);
                package_tick(attempt);
                error = package_next(attempt);
        } else {
                log_warning(
                        "the image %s of version %s in %s is damaged (%s), and is fetched again",
                        package->name, package->version, package->directory,
                        error < 0 ? strerror(-error) : "its SHA-256 is another one");
                attempt->package_fd = close_fd(attempt->package_fd);
                error = package_make(attempt);
        }
        if (error != 0)
                attempt_stage_done(attempt, error);
}

static int package_next(Attempt *attempt)
{
        int r;

        if (attempt->package == attempt->packages.n_items)
                return 1;
        r = package_find(attempt->context.root, attempt_package(attempt), &attempt->package_fd,
                         attempt->package_sha256);
        if (r == 0)
                return package_make(attempt);
        if (r > 0)
                r = digest_file_new(attempt->context.event, attempt->package_fd, on_digest, attempt,
                                    &attempt->package_digest);
        return r < 0 ? package_refuse(attempt, r, strerror(-r)) : 0;
}

/* The slot that is written can not boot any more: nobody needs the images of what was in it. */
static int attempt_make_room(const Attempt *attempt)
{
        char *const kept[] = { attempt->context.host->version, attempt->plan.version };
        const TextList keep = { .items = (char **)kept, .n_items = ELEMENTSOF(kept) };

        return packages_collect(attempt->context.root, &keep);
}

int attempt_packages(Attempt *attempt)
{
        int r;

        if (attempt->packages.n_items == 0)
                return 1;
        r = host_version_is_known(attempt->context.host) ? attempt_make_room(attempt) : 0;
        if (r < 0)
                (void)log_warning_errno(r, "removing images of packages that no slot needs: %m");
        return package_next(attempt);
}
