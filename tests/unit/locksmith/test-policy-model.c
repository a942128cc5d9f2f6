/*
 * Every order of every step of a few hosts, in two groups under one limit, with a failure budget: the
 * functions that decide are the real ones, the store is a model of etcd (revisions, transactions that
 * compare, answers that get lost, leases that end). All states that can be reached are visited once.
 */
#include "locksmith/policy.h"
#include "unit/unit.h"

#define HOSTS      4
#define GROUPS     2
#define LIMIT      3
#define BUDGET     2
#define STATES_MAX 400000
#define TABLE_SIZE (1U << 20)

static const uint8_t group_of[HOSTS] = { 0, 0, 0, 1 };
static const uint8_t max_of[GROUPS] = { 3, 1 };

typedef enum Phase {
        IDLE,    /* wants the lock, has not looked yet */
        LOOKED,  /* has read everything, and may write */
        UNSURE,  /* has written, and does not know whether it is done */
        HOLDING, /* knows that it holds the lock */
        DOWN,    /* has told that it goes down; expected back */
        LATE,    /* its lease has ended; nobody has counted that yet */
        DONE,    /* has had its turn */
} Phase;

/* Small enough to be compared and hashed as bytes: no padding. */
typedef struct State {
        uint8_t phase[HOSTS];
        uint8_t held[HOSTS];   /* in the store */
        uint8_t failed[HOSTS]; /* counted in the policy of its group */
        uint8_t stopped[GROUPS];
        uint8_t changes
                [GROUPS]; /* revisions, counted from what anybody has seen: see state_tidy() */
        uint8_t seen[HOSTS][GROUPS]; /* what the revisions were when a host has looked */
        uint8_t may[HOSTS];          /* what it has decided then */
        uint8_t resumed;             /* once is enough */
} State;

static State states[STATES_MAX];
static size_t n_states, n_takes, n_stops;
static uint32_t table[TABLE_SIZE]; /* index + 1 */

/* Only whether a group has changed since a host has looked matters, not how often. */
static void state_tidy(State *s)
{
        for (size_t h = 0; h < HOSTS; h++)
                s->may[h] = s->may[h] && (s->phase[h] == LOOKED || s->phase[h] == UNSURE);
        for (size_t g = 0; g < GROUPS; g++) {
                for (size_t h = 0; h < HOSTS; h++)
                        s->seen[h][g] = s->phase[h] == LOOKED || s->phase[h] == UNSURE
                                                ? s->seen[h][g] == s->changes[g]
                                                : 0;
                s->changes[g] = 1;
        }
}

static bool state_add(State *s)
{
        const uint8_t *bytes = (const uint8_t *)s;
        uint32_t hash = 2166136261U;

        state_tidy(s);
        for (size_t i = 0; i < sizeof(State); i++)
                hash = (hash ^ bytes[i]) * 16777619U;
        for (uint32_t i = hash % TABLE_SIZE;; i = (i + 1) % TABLE_SIZE) {
                if (table[i] == 0) {
                        assert_true(n_states < STATES_MAX);
                        states[n_states] = *s;
                        table[i] = (uint32_t)++n_states;
                        return true;
                }
                if (memcmp(&states[table[i] - 1], s, sizeof(State)) == 0)
                        return false;
        }
}

/* The documents, as the real code reads them. */
static void group_read(const State *s, size_t group, Semaphore *semaphore, PolicyView *view)
{
        *semaphore = (Semaphore) { .max = max_of[group], .free = max_of[group] };
        *view = (PolicyView) { .kept = true, .now = 1, .limit = LIMIT };
        for (size_t h = 0; h < HOSTS; h++) {
                char id[] = { (char)('a' + h), 0 };

                if (s->held[h] && group_of[h] == group)
                        assert_int_equal(semaphore_take(semaphore, id), 1);
                view->n_elsewhere += s->held[h] && group_of[h] != group;
                if (s->failed[h] && group_of[h] == group)
                        assert_int_equal(policy_count(&view->policy,
                                                      &(Failure) { .id = id,
                                                                   .host = (char *)"",
                                                                   .why = (char *)"" },
                                                      0),
                                         1);
        }
        if (s->stopped[group]) {
                assert_int_equal(text_set(&view->policy.stopped.who, "w"), 0);
                assert_int_equal(text_set(&view->policy.stopped.reason, "r"), 0);
        }
}

/* What a host decides that has looked just now. */
static bool take_may(const State *s, size_t host)
{
        char id[] = { (char)('a' + host), 0 }, why[POLICY_WHY_MAX];
        _cleanup_(semaphore_done) Semaphore semaphore = {};
        _cleanup_(policy_view_done) PolicyView view = {};

        group_read(s, group_of[host], &semaphore, &view);
        return policy_may_take(&view, &semaphore, why) == 0 && semaphore_take(&semaphore, id) == 1;
}

/* Its transaction, as lock.c makes it: with a limit, the revisions of all groups are compared. */
static bool take_is_done(const State *s, size_t host)
{
        for (size_t g = 0; g < GROUPS; g++)
                if (s->seen[host][g] != s->changes[g])
                        return false;
        return s->may[host];
}

static void take_do(State *s, size_t host)
{
        s->held[host] = 1;
        s->changes[group_of[host]]++;
}

/* Anybody's look: who is late is counted, and stops the group at the budget. */
static void count_do(State *s, size_t group)
{
        _cleanup_(semaphore_done) Semaphore semaphore = {};
        _cleanup_(policy_view_done) PolicyView view = {};

        group_read(s, group, &semaphore, &view);
        for (size_t h = 0; h < HOSTS; h++) {
                char id[] = { (char)('a' + h), 0 };

                if (group_of[h] != group || s->phase[h] != LATE || !s->held[h])
                        continue;
                assert_true(
                        policy_count(&view.policy,
                                     &(Failure) { .id = id, .host = (char *)"", .why = (char *)"" },
                                     BUDGET)
                        >= 0);
                s->failed[h] = policy_has_failed(&view.policy, id);
        }
        s->stopped[group] = view.policy.stopped.who != NULL;
        s->changes[group]++;
}

static void invariants_hold(const State *s)
{
        size_t n[GROUPS] = { 0 }, n_failed[GROUPS] = { 0 }, total = 0;

        for (size_t h = 0; h < HOSTS; h++) {
                n[group_of[h]] += s->held[h];
                n_failed[group_of[h]] += s->failed[h];
                total += s->held[h];
                /* Nobody is down, or believes that it holds the lock, without holding it. */
                if (s->phase[h] == HOLDING || s->phase[h] == DOWN || s->phase[h] == LATE)
                        assert_true(s->held[h]);
                if (s->phase[h] == DONE || s->phase[h] == IDLE || s->phase[h] == LOOKED)
                        assert_false(s->held[h]);
        }
        for (size_t g = 0; g < GROUPS; g++) {
                assert_true(n[g] <= max_of[g]);
                assert_true(s->stopped[g] || n_failed[g] < BUDGET);
        }
        assert_true(total <= LIMIT);
}

typedef void (*Step)(const State *s, size_t host);

static void step_to(State next)
{
        invariants_hold(&next);
        (void)state_add(&next);
}

static void step_look(const State *s, size_t host)
{
        State next = *s;

        if (s->phase[host] != IDLE && s->phase[host] != LOOKED)
                return;
        next.phase[host] = LOOKED;
        memcpy(next.seen[host], s->changes, sizeof(s->changes));
        next.may[host] = take_may(s, host);
        step_to(next);
}

/* Done and told; or lost: it may be done now, or later, or never. */
static void step_write(const State *s, size_t host)
{
        State next = *s;

        if (s->phase[host] != LOOKED)
                return;
        next.phase[host] = UNSURE;
        step_to(next);
        next = *s;
        if (take_is_done(s, host)) {
                assert_false(s->stopped[group_of[host]]); /* a stop is never overtaken */
                take_do(&next, host);
                next.phase[host] = HOLDING;
                n_takes++;
        } else
                next.phase[host] = IDLE;
        step_to(next);
}

static void step_arrive(const State *s, size_t host)
{
        State next = *s;

        if (s->phase[host] != UNSURE || s->held[host] || !take_is_done(s, host))
                return;
        take_do(&next, host);
        step_to(next);
}

/* It reads again. As long as nothing has changed, the lost one may still arrive, and it sends the same
 * again: only one of them can be done. */
static void step_resolve(const State *s, size_t host)
{
        State next = *s;

        if (s->phase[host] != UNSURE)
                return;
        if (s->held[host])
                next.phase[host] = HOLDING;
        else if (take_is_done(s, host)) {
                take_do(&next, host);
                next.phase[host] = HOLDING;
        } else
                next.phase[host] = IDLE;
        step_to(next);
}

static void step_depart(const State *s, size_t host)
{
        State next = *s;

        if (s->phase[host] != HOLDING)
                return;
        next.phase[host] = DOWN;
        next.changes[group_of[host]]++;
        step_to(next);
}

static void step_be_late(const State *s, size_t host)
{
        State next = *s;

        if (s->phase[host] != DOWN)
                return;
        next.phase[host] = LATE;
        step_to(next);
}

static void step_count(const State *s, size_t host)
{
        State next = *s;

        if (s->phase[host] != LATE || s->failed[host])
                return;
        count_do(&next, group_of[host]);
        n_stops += next.stopped[group_of[host]] && !s->stopped[group_of[host]];
        step_to(next);
}

/* It is back, late or not: the slot goes, and so does the failure if the group has not stopped. */
static void step_release(const State *s, size_t host)
{
        size_t group = group_of[host];
        char id[] = { (char)('a' + host), 0 };
        _cleanup_(semaphore_done) Semaphore semaphore = {};
        _cleanup_(policy_view_done) PolicyView view = {};
        State next = *s;

        if (s->phase[host] != HOLDING && s->phase[host] != DOWN && s->phase[host] != LATE)
                return;
        group_read(s, group, &semaphore, &view);
        assert_int_equal(semaphore_release(&semaphore, id), 1);
        assert_true(policy_forgive(&view.policy, id) >= 0);
        next.held[host] = 0;
        next.failed[host] = policy_has_failed(&view.policy, id);
        next.phase[host] = DONE;
        next.changes[group]++;
        step_to(next);
}

static void step_resume(const State *s, size_t host)
{
        size_t group = group_of[host];
        State next = *s;

        if (!s->stopped[group] || s->resumed)
                return;
        for (size_t h = 0; h < HOSTS; h++)
                if (group_of[h] == group)
                        next.failed[h] = 0;
        next.stopped[group] = 0;
        next.resumed = 1;
        next.changes[group]++;
        step_to(next);
}

static const Step step_table[] = { step_look,    step_write,   step_arrive,
                                   step_resolve, step_depart,  step_be_late,
                                   step_count,   step_release, step_resume };

static void test_no_order_of_steps_breaks_the_lock(_unused_ void **state)
{
        State first = { .changes = { 1, 1 } };

        assert_true(state_add(&first));
        for (size_t i = 0; i < n_states; i++)
                for (size_t h = 0; h < HOSTS; h++)
                        for (size_t k = 0; k < ELEMENTSOF(step_table); k++) {
                                State s = states[i];

                                step_table[k](&s, h);
                        }

        print_message("# %zu states, %zu takes, %zu stops\n", n_states, n_takes, n_stops);
        assert_true(n_takes > 0 && n_stops > 0); /* or it has proven nothing */
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_order_of_steps_breaks_the_lock),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
