#include <limits.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/env-file.h"
#include "base/http.h"
#include "base/text.h"
#include "plan.h"

#define PLAN_FORMAT      3
#define PLAN_NO_SHA256   "none"
#define INSTALL_FAILURES 10 /* requests to the one URL that an operator gives */

void update_plan_done(UpdatePlan *plan)
{
        free(plan->version);
        text_list_done(&plan->urls);
        transport_done(&plan->transport);
        *plan = (UpdatePlan) {};
}

int plan_add_url(TextList *urls, const char *base, const char *name)
{
        _cleanup_free_ char *url = NULL;
        size_t n = strlen(base);

        if (text_format(&url, "%s%s%s", base, n > 0 && base[n - 1] == '/' ? "" : "/", name) < 0)
                return -ENOMEM;
        return http_url_is_valid(url) ? text_list_add(urls, url) : 0;
}

static int plan_fill(UpdatePlan *plan, const OmahaResponse *response)
{
        int r;

        for (size_t i = 0; i < response->urls.n_items; i++) {
                r = plan_add_url(&plan->urls, response->urls.items[i], response->packages[0].name);
                if (r < 0)
                        return r;
        }

        plan->announced = true;
        plan->size = response->packages[0].size;
        plan->failures_per_url = response->failures_per_url;
        memcpy(plan->sha256, response->sha256, SHA256_SIZE);
        return text_set(&plan->version, response->version);
}

static int plan_nothing(char **ret_reason, const char *reason)
{
        char *copy = strdup(reason);

        if (!copy)
                return -ENOMEM;

        *ret_reason = copy;
        return 0;
}

/* Versions that are no news: the one that runs, the one that did not boot. */
static int plan_is_no_news(const OmahaResponse *response, const PlanHistory *history,
                           char **ret_reason)
{
        _cleanup_free_ char *sha256 = NULL;
        int r;

        if (*response->version && streq(response->version, history->policy.running)) {
                r = plan_nothing(ret_reason, "the offered version runs already");
                return r < 0 ? r : 1;
        }

        r = hex_encode(response->sha256, SHA256_SIZE, &sha256);
        if (r < 0)
                return r;
        if (history->failed_sha256
                    ? streq(history->failed_sha256, sha256)
                    : *response->version
                              && streq_null(history->failed_version, response->version)) {
                r = plan_nothing(ret_reason,
                                 "the offered version did not boot here, or was rolled back; it is "
                                 "tried again after \"update-engine-client reset-status\"");
                return r < 0 ? r : 1;
        }

        return 0;
}

static int plan_check_slots(const Slots *slots, UpdateFailure *failure)
{
        if (slots->target == SLOT_NONE)
                return update_failure_set(failure, -ENODEV, UPDATE_ERROR_SLOTS, "%s",
                                          update_failure_text(&slots->why_no_target));
        if (!slots_running_is_good(slots))
                return update_failure_set(
                        failure, -EBUSY, UPDATE_ERROR_SLOTS,
                        "the running slot %s is not marked good yet, and the other one is the way "
                        "back; no update before it is",
                        slots->gpt.partitions[slots->running].label);
        return 0;
}

int plan_decide(const OmahaResponse *response, const Slots *slots, const PlanHistory *history,
                UpdatePlan *ret, char **ret_reason, UpdateFailure *failure)
{
        _cleanup_(update_plan_done) UpdatePlan plan = {};
        int r;

        if (response->verdict != OMAHA_UPDATE)
                return plan_nothing(ret_reason, response->reason ? response->reason
                                                                 : "the server has no update");
        r = plan_is_no_news(response, history, ret_reason);
        if (r != 0)
                return r < 0 ? r : 0;

        r = version_policy_check(&history->policy, response->version, failure);
        if (r < 0)
                return r;
        r = plan_check_slots(slots, failure);
        if (r < 0)
                return r;
        r = plan_fill(&plan, response);
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_GENERIC, "making the plan: %s",
                                          strerror(-r));
        if (plan.urls.n_items == 0)
                return update_failure_set(failure, -EBADMSG, UPDATE_ERROR_ANSWER_INVALID,
                                          "the answer of the update server names no URL of "
                                          "http:// or https://");

        *ret = plan;
        plan = (UpdatePlan) {};
        return 1;
}

int plan_install(const Slots *slots, const char *url, uint64_t size, UpdatePlan *ret,
                 UpdateFailure *failure)
{
        _cleanup_(update_plan_done) UpdatePlan plan = {
                .size = size,
                .failures_per_url = INSTALL_FAILURES,
        };
        int r;

        r = plan_check_slots(slots, failure);
        if (r < 0)
                return r;
        r = text_set(&plan.version, "");
        if (r >= 0 && url)
                r = text_list_add(&plan.urls, url);
        if (r < 0)
                return r;

        *ret = plan;
        plan = (UpdatePlan) {};
        return 0;
}

int update_plan_print(const UpdatePlan *plan, char **ret)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_MAX(PLAN_TEXT_MAX);
        _cleanup_free_ char *sha256 = NULL;
        int r;

        r = plan->announced ? hex_encode(plan->sha256, SHA256_SIZE, &sha256)
                            : text_set(&sha256, PLAN_NO_SHA256);
        if (r < 0)
                return r;
        r = buffer_appendf(
                &text,
                "PLAN=%d\nVERSION=\"%s\"\nSIZE=%llu\nSHA256=%s\nFAILURES_PER_URL=%u\n"
                "TARGET_OFFSET=%llu\nTARGET_SIZE=%llu\nKERNEL_SIZE_MAX=%llu\nCHECKPOINT=%llu\n"
                "NOW=%llu\nMADE_MIN=%llu\n",
                PLAN_FORMAT, plan->version, (unsigned long long)plan->size, sha256,
                plan->failures_per_url, (unsigned long long)plan->target_offset,
                (unsigned long long)plan->target_size, (unsigned long long)plan->kernel_size_max,
                (unsigned long long)plan->checkpoint, (unsigned long long)plan->now,
                (unsigned long long)plan->made_min);
        if (r >= 0)
                r = transport_print(&plan->transport, &text);
        for (size_t i = 0; i < plan->urls.n_items && r >= 0; i++)
                r = buffer_appendf(&text, "URL=\"%s\"\n", plan->urls.items[i]);
        if (r < 0)
                return r;

        return buffer_take_text(&text, ret, NULL);
}

/* A number that must be there. */
static int plan_number(const EnvFile *file, const char *key, uint64_t max, uint64_t *ret)
{
        const char *value = env_file_get(file, key);

        return value && text_to_u64(value, max, ret) >= 0 ? 0 : -EBADMSG;
}

static int plan_read_numbers(const EnvFile *file, UpdatePlan *plan)
{
        uint64_t format = 0, failures = 0;
        int r;

        r = plan_number(file, "PLAN", PLAN_FORMAT, &format);
        if (r >= 0)
                r = plan_number(file, "SIZE", INT64_MAX, &plan->size);
        if (r >= 0)
                r = plan_number(file, "FAILURES_PER_URL", UINT_MAX, &failures);
        if (r >= 0)
                r = plan_number(file, "TARGET_OFFSET", INT64_MAX, &plan->target_offset);
        if (r >= 0)
                r = plan_number(file, "TARGET_SIZE", INT64_MAX, &plan->target_size);
        if (r >= 0)
                r = plan_number(file, "KERNEL_SIZE_MAX", INT64_MAX, &plan->kernel_size_max);
        if (r >= 0)
                r = plan_number(file, "CHECKPOINT", INT64_MAX, &plan->checkpoint);
        if (r >= 0)
                r = plan_number(file, "NOW", INT64_MAX, &plan->now);
        if (r >= 0)
                r = plan_number(file, "MADE_MIN", INT64_MAX, &plan->made_min);
        if (r < 0)
                return r;
        if (format != PLAN_FORMAT)
                return -EBADMSG;

        plan->failures_per_url = (unsigned)failures;
        return 0;
}

static int plan_read_texts(const EnvFile *file, UpdatePlan *plan)
{
        const char *version = env_file_get(file, "VERSION"), *sha256 = env_file_get(file, "SHA256");
        int r;

        if (!version || !sha256)
                return -EBADMSG;
        plan->announced = !streq(sha256, PLAN_NO_SHA256);
        r = plan->announced ? hex_decode(sha256, plan->sha256, SHA256_SIZE) : 0;
        if (r < 0)
                return r;

        for (size_t i = 0; i < file->n_entries; i++) {
                if (!streq(file->entries[i].key, "URL"))
                        continue;
                if (!http_url_is_valid(file->entries[i].value)
                    || plan->urls.n_items >= OMAHA_URLS_MAX)
                        return -EBADMSG;
                r = text_list_add(&plan->urls, file->entries[i].value);
                if (r < 0)
                        return r;
        }

        return text_set(&plan->version, version);
}

/* What a server offers has a size and an address; what an operator gives has one of the two at least. */
static bool plan_is_whole(const UpdatePlan *plan)
{
        bool address = plan->urls.n_items > 0, size = plan->size > 0;

        return plan->announced ? address && size : address || size;
}

static void on_bad_line(_unused_ const char *path, _unused_ unsigned line, _unused_ const char *why,
                        void *userdata)
{
        *(bool *)userdata = true;
}

int update_plan_parse(const char *text, UpdatePlan *ret)
{
        _cleanup_(update_plan_done) UpdatePlan plan = {};
        _cleanup_(env_file_done) EnvFile file = {};
        bool bad = false;
        int r;

        r = env_file_parse("plan", text, on_bad_line, &bad, &file);
        if (r < 0)
                return r;
        if (bad)
                return -EBADMSG;
        r = plan_read_numbers(&file, &plan);
        if (r < 0)
                return r;
        r = plan_read_texts(&file, &plan);
        if (r >= 0)
                r = transport_parse(&file, &plan.transport);
        if (r < 0)
                return r;
        if (!plan_is_whole(&plan))
                return -EBADMSG;

        *ret = plan;
        plan = (UpdatePlan) {};
        return 0;
}
