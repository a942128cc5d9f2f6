#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "etcd-wire.h"
#include "lock-key.h"
#include "pause.h"
#include "policy.h"
#include "record.h"

static void failure_done(Failure *failure)
{
        free(failure->id);
        free(failure->host);
        free(failure->why);
        *failure = (Failure) {};
}

void deed_done(Deed *deed)
{
        free(deed->who);
        free(deed->reason);
        *deed = (Deed) {};
}

void policy_done(Policy *policy)
{
        for (size_t i = 0; i < policy->n_failures; i++)
                failure_done(&policy->failures[i]);
        free(policy->failures);
        for (size_t i = 0; i < policy->n_deeds; i++)
                deed_done(&policy->deeds[i]);
        free(policy->deeds);
        deed_done(&policy->stopped);
        deed_done(&policy->resumed);
        *policy = (Policy) {};
}

void policy_view_done(PolicyView *view)
{
        policy_done(&view->policy);
        *view = (PolicyView) {};
}

static int number_read(const json_t *object, const char *name, int64_t max, int64_t *ret)
{
        const json_t *value = json_object_get(object, name);

        if (value && !json_is_integer(value))
                return -EBADMSG;
        if (json_integer_value(value) < 0 || json_integer_value(value) > max)
                return -EBADMSG;

        *ret = json_integer_value(value);
        return 0;
}

/* Ids are kept byte for byte; they are made fit for a terminal where they are shown. */
static int id_read(const json_t *object, char **ret)
{
        const char *id = json_string_value(json_object_get(object, "id"));

        if (!id || strlen(id) > LOCK_NAME_MAX)
                return -EBADMSG;
        *ret = strdup(id);
        return *ret ? 0 : -ENOMEM;
}

static int deed_parse(const json_t *object, Deed *ret)
{
        int r;

        if (!json_is_object(object))
                return -EBADMSG;

        r = record_text_read(object, "who", &ret->who);
        if (r >= 0)
                r = record_text_read(object, "reason", &ret->reason);
        if (r >= 0)
                r = number_read(object, "since", INT64_MAX, &ret->since);
        return r;
}

static int deed_read(const json_t *root, const char *name, Deed *ret)
{
        const json_t *object = json_object_get(root, name);

        return object ? deed_parse(object, ret) : 0;
}

static int deeds_read(const json_t *root, Policy *policy)
{
        const json_t *array = json_object_get(root, "log");
        size_t n = json_array_size(array);
        int r = 0;

        if ((array && !json_is_array(array)) || n > POLICY_DEEDS_MAX)
                return -EBADMSG;
        policy->deeds = calloc(n + 1, sizeof(Deed));
        if (!policy->deeds)
                return -ENOMEM;

        for (size_t i = 0; i < n && r >= 0; i++)
                r = deed_parse(json_array_get(array, i), &policy->deeds[policy->n_deeds++]);
        return r;
}

static int failure_read(const json_t *object, Failure *ret)
{
        const json_t *excused = json_object_get(object, "excused");
        int r;

        if (!json_is_object(object))
                return -EBADMSG;
        r = id_read(object, &ret->id);
        if (r >= 0)
                r = record_text_read(object, "host", &ret->host);
        if (r >= 0)
                r = record_text_read(object, "why", &ret->why);
        if (r >= 0)
                r = number_read(object, "since", INT64_MAX, &ret->since);
        if (excused && !json_is_boolean(excused))
                return -EBADMSG;

        ret->excused = json_is_true(excused);
        return r;
}

static int failures_read(const json_t *root, Policy *policy)
{
        const json_t *array = json_object_get(root, "failures");
        size_t n = json_array_size(array);
        int r = 0;

        if ((array && !json_is_array(array)) || n > POLICY_FAILURES_MAX)
                return -EBADMSG;
        policy->failures = calloc(n + 1, sizeof(Failure));
        if (!policy->failures)
                return -ENOMEM;

        for (size_t i = 0; i < n && r >= 0; i++)
                r = failure_read(json_array_get(array, i), &policy->failures[policy->n_failures++]);
        return r;
}

int policy_parse(const char *text, size_t size, Policy *ret)
{
        _cleanup_(policy_done) Policy policy = {};
        json_auto_t *root = size <= POLICY_TEXT_MAX
                                    ? json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL)
                                    : NULL;
        int64_t percent = 0;
        int r;

        if (!json_is_object(root))
                return -EBADMSG;
        r = number_read(root, "percent", 100, &percent);
        if (r >= 0)
                r = number_read(root, "of", INT64_MAX / 100, &policy.of);
        if (r >= 0)
                r = failures_read(root, &policy);
        if (r >= 0)
                r = deed_read(root, "stopped", &policy.stopped);
        if (r >= 0)
                r = deed_read(root, "resumed", &policy.resumed);
        if (r >= 0)
                r = deeds_read(root, &policy);
        if (r < 0)
                return r;

        policy.percent = (unsigned)percent;
        *ret = policy;
        policy = (Policy) {};
        return 0;
}

static json_t *deed_json(const Deed *deed)
{
        return json_pack("{s:s, s:s, s:I}", "who", deed->who, "reason", deed->reason, "since",
                         (json_int_t)deed->since);
}

/* NULL: out of memory. */
static json_t *deeds_json(const Policy *policy)
{
        json_auto_t *array = json_array();

        for (size_t i = 0; i < policy->n_deeds; i++)
                if (json_array_append_new(array, deed_json(&policy->deeds[i])) < 0)
                        return NULL;
        return json_incref(array);
}

int policy_format(const Policy *policy, char **ret)
{
        json_auto_t *failures = json_array(), *root = NULL;
        char *text;
        int r = 0;

        for (size_t i = 0; i < policy->n_failures; i++) {
                const Failure *failure = &policy->failures[i];

                r |= json_array_append_new(failures,
                                           json_pack("{s:s, s:s, s:s, s:I, s:b}", "id", failure->id,
                                                     "host", failure->host, "why", failure->why,
                                                     "since", (json_int_t)failure->since, "excused",
                                                     (int)failure->excused));
        }
        root = json_pack("{s:I, s:I, s:O}", "percent", (json_int_t)policy->percent, "of",
                         (json_int_t)policy->of, "failures", failures);
        if (policy->stopped.who)
                r |= json_object_set_new(root, "stopped", deed_json(&policy->stopped));
        if (policy->resumed.who)
                r |= json_object_set_new(root, "resumed", deed_json(&policy->resumed));
        if (policy->n_deeds > 0)
                r |= json_object_set_new(root, "log", deeds_json(policy));
        text = r == 0 && root ? json_dumps(root, JSON_COMPACT) : NULL;
        if (!text)
                return -ENOMEM;

        *ret = text;
        return 0;
}

/* Nobody knows how many hold a lock that can not be read, so nobody takes another one. */
static int elsewhere_read(const LockAround *around, PolicyView *view)
{
        const char *why;
        int r;

        for (size_t i = 0; i < around->n_others; i++) {
                _cleanup_(semaphore_done) Semaphore semaphore = {};

                r = semaphore_parse(around->others[i].text, around->others[i].size, &semaphore,
                                    &why);
                if (r == -EBADMSG) {
                        view->why = "the lock of another group can not be read, so that nobody"
                                    " knows how many hold one";
                        return 0;
                }
                if (r < 0)
                        return r;
                view->n_elsewhere += semaphore.holders.n_items;
        }
        return 0;
}

static int limit_read(const LockAround *around, PolicyView *view)
{
        _cleanup_(pause_done) Pause limit = {};
        int r;

        if (!around->limit.text)
                return 0;
        r = pause_parse(around->limit.text, around->limit.size, &limit);
        if (r == -EBADMSG) {
                view->why = "the limit on all groups can not be read: set it anew with"
                            " locksmithctl set-max --global";
                return 0;
        }
        if (r < 0)
                return r;

        view->limit = limit.max;
        return elsewhere_read(around, view);
}

int policy_view_read(const LockAround *around, PolicyView *ret)
{
        _cleanup_(policy_view_done)
                PolicyView view = { .kept = around->now > 0, .now = around->now };
        int r = 0;

        if (around->policy.text)
                r = policy_parse(around->policy.text, around->policy.size, &view.policy);
        if (r == -EBADMSG) {
                view.damaged = true;
                view.why = "the policy of the group can not be read: see locksmithctl resume";
                r = 0;
        }
        if (r >= 0 && !view.why)
                r = limit_read(around, &view);
        if (r < 0)
                return r;

        *ret = view;
        view = (PolicyView) {};
        return 0;
}

int policy_view_copy(const PolicyView *view, PolicyView *ret)
{
        PolicyView copy = *view;
        _cleanup_free_ char *text = NULL;
        int r;

        r = policy_format(&view->policy, &text);
        if (r >= 0)
                r = policy_parse(text, strlen(text), &copy.policy);
        if (r < 0)
                return r;

        *ret = copy;
        return 0;
}

int policy_is_stopped(const PolicyView *view, char why[static POLICY_WHY_MAX])
{
        if (view->why)
                (void)snprintf(why, POLICY_WHY_MAX, "%s", view->why); /* fits */
        else if (view->policy.stopped.who)
                (void)snprintf(why, POLICY_WHY_MAX,
                               "the fleet has stopped: %s; when that is mended: locksmithctl"
                               " resume --reason",
                               view->policy.stopped.reason); /* cut is fine */
        else
                return 0;
        return -EBUSY;
}

int policy_may_take(const PolicyView *view, const Semaphore *semaphore,
                    char why[static POLICY_WHY_MAX])
{
        uint64_t held = view->n_elsewhere + semaphore->holders.n_items;
        int r;

        r = policy_is_stopped(view, why);
        if (r < 0 || view->limit == 0 || held < (uint64_t)view->limit)
                return r;

        (void)snprintf(why, POLICY_WHY_MAX,
                       "%" PRIu64 " of %" PRId64 " slots of all groups together are held", held,
                       view->limit); /* fits */
        return -EBUSY;
}

int64_t policy_share(const Policy *policy, uint64_t n_known_hosts)
{
        uint64_t n = policy->of > 0 ? (uint64_t)policy->of : n_known_hosts;

        /* In two parts, so that it can not overflow. */
        return (int64_t)MAX_OF(n / 100 * policy->percent + n % 100 * policy->percent / 100,
                               UINT64_C(1));
}

int policy_apply_share(const Policy *policy, uint64_t n_known_hosts, Semaphore *semaphore)
{
        if (policy->percent == 0 || semaphore->max == 0)
                return 0;
        return semaphore_set_max(semaphore, policy_share(policy, n_known_hosts));
}

static size_t failure_index(const Policy *policy, const char *id)
{
        size_t i = 0;

        while (i < policy->n_failures && !streq(policy->failures[i].id, id))
                i++;
        return i;
}

bool policy_has_failed(const Policy *policy, const char *id)
{
        return failure_index(policy, id) < policy->n_failures;
}

size_t policy_n_failures(const Policy *policy)
{
        size_t n = 0;

        for (size_t i = 0; i < policy->n_failures; i++)
                n += !policy->failures[i].excused;
        return n;
}

static void failure_remove(Policy *policy, size_t i)
{
        failure_done(&policy->failures[i]);
        policy->n_failures--;
        memmove(policy->failures + i, policy->failures + i + 1,
                (policy->n_failures - i) * sizeof(Failure));
}

static int failure_add(Policy *policy, const Failure *failure)
{
        _cleanup_(failure_done) Failure copy = { .since = failure->since };
        Failure *longer;
        int r;

        r = text_set(&copy.id, failure->id);
        if (r >= 0)
                r = text_set(&copy.host, failure->host);
        if (r >= 0)
                r = text_set(&copy.why, failure->why);
        longer = r >= 0 ? reallocarray(policy->failures, policy->n_failures + 1, sizeof(Failure))
                        : NULL;
        if (!longer)
                return -ENOMEM;

        policy->failures = longer;
        policy->failures[policy->n_failures++] = copy;
        copy = (Failure) {};
        return 1;
}

static int policy_stop(Policy *policy, uint64_t budget)
{
        size_t n = policy_n_failures(policy), i = policy->n_failures - 1;
        char reason[POLICY_WHY_MAX], id[ETCD_WHY_MAX];
        _cleanup_(deed_done) Deed deed = {};
        const Failure *last;
        int r;

        while (policy->failures[i].excused) /* one is not, or it would not stop */
                i--;
        last = &policy->failures[i];
        deed.since = last->since;
        foreign_text(last->id, strlen(last->id), id, sizeof(id));
        (void)snprintf(reason, sizeof(reason),
                       "%zu host%s failed, and the budget is %" PRIu64
                       "; last %.64s (%.64s): %.200s",
                       n, n == 1 ? " has" : "s have", budget, id, *last->host ? last->host : "?",
                       last->why); /* fits */
        r = text_set(&deed.who, *last->host ? last->host : "?");
        if (r >= 0)
                r = text_set(&deed.reason, reason);
        if (r < 0)
                return r;

        policy->stopped = deed;
        deed = (Deed) {};
        return 1;
}

int policy_count(Policy *policy, const Failure *failure, uint64_t budget)
{
        int changed = 0;

        if (failure && !policy_has_failed(policy, failure->id)
            && policy->n_failures < POLICY_FAILURES_MAX)
                changed = failure_add(policy, failure);
        if (changed < 0 || policy->stopped.who || budget == 0 || policy_n_failures(policy) < budget)
                return changed;

        return policy_stop(policy, budget);
}

int policy_forgive(Policy *policy, const char *id)
{
        size_t i = failure_index(policy, id);

        if (i == policy->n_failures || (policy->stopped.who && !policy->failures[i].excused))
                return 0;

        failure_remove(policy, i);
        return 1;
}

int policy_end_excuse(Policy *policy, const char *id)
{
        size_t i = failure_index(policy, id);

        if (i == policy->n_failures || !policy->failures[i].excused)
                return 0;

        failure_remove(policy, i);
        return 1;
}

static int deed_copy(const Deed *deed, Deed *ret)
{
        _cleanup_(deed_done) Deed copy = { .since = deed->since };
        int r;

        r = text_set(&copy.who, deed->who);
        if (r >= 0)
                r = text_set(&copy.reason, deed->reason);
        if (r < 0)
                return r;

        *ret = copy;
        copy = (Deed) {};
        return 0;
}

static void deeds_make_room(Policy *policy)
{
        if (policy->n_deeds < POLICY_DEEDS_MAX)
                return;

        deed_done(&policy->deeds[0]);
        policy->n_deeds--;
        memmove(policy->deeds, policy->deeds + 1, policy->n_deeds * sizeof(Deed));
}

int policy_note(Policy *policy, const Deed *deed)
{
        Deed *longer;
        int r;

        for (size_t i = 0; i < policy->n_deeds; i++)
                if (policy->deeds[i].since == deed->since && streq(policy->deeds[i].who, deed->who)
                    && streq(policy->deeds[i].reason, deed->reason))
                        return 0;

        longer = reallocarray(policy->deeds, policy->n_deeds + 1, sizeof(Deed));
        if (!longer)
                return -ENOMEM;
        policy->deeds = longer;
        deeds_make_room(policy);
        r = deed_copy(deed, &policy->deeds[policy->n_deeds]);
        if (r < 0)
                return r;

        policy->n_deeds++;
        return 1;
}

int policy_resume(Policy *policy, const Semaphore *semaphore, const Deed *deed)
{
        Deed copy;
        int r;

        if (!policy->stopped.who && policy_n_failures(policy) == 0)
                return 0;
        r = deed_copy(deed, &copy);
        if (r < 0)
                return r;

        for (size_t i = policy->n_failures; i > 0; i--) {
                policy->failures[i - 1].excused = true;
                if (!semaphore_is_held_by(semaphore, policy->failures[i - 1].id))
                        failure_remove(policy, i - 1);
        }
        deed_done(&policy->stopped);
        deed_done(&policy->resumed);
        policy->resumed = copy;
        return 1;
}
