#include "locksmith/lock.h"
#include "unit/unit.h"

/*
 * A backend in memory that can lose answers. Each step says what happens to one call; behind the
 * last step everything works.
 */
typedef enum Step {
        WORKS,
        LOSES_ANSWER,  /* a swap is done, but nobody is told */
        LOSES_REQUEST, /* a swap is not done, and nobody is told */
        RACE,          /* somebody else changes the document just before */
        FAILS,
} Step;

typedef struct Memory {
        LockBackend backend;
        sd_event *event;
        sd_event_source *later;
        char text[256];
        int64_t revision;
        const Step *steps;
        size_t n_steps, n_calls, n_swaps;
        LockReply reply;
        bool watching;
} Memory;

static int on_later(_unused_ sd_event_source *source, void *userdata)
{
        Memory *m = userdata;

        lock_backend_reply(&m->backend, &m->reply);
        return 0;
}

static void memory_reply(Memory *m, LockAnswer answer)
{
        m->reply = (LockReply) {
                .answer = answer,
                .text = m->revision > 0 ? m->text : NULL,
                .size = strlen(m->text),
                .revision = m->revision,
                .why = "as the test wants it",
        };
        m->later = sd_event_source_unref(m->later);
        assert_true(sd_event_add_defer(m->event, &m->later, on_later, m) >= 0);
}

static Step memory_step(Memory *m)
{
        return m->n_calls < m->n_steps ? m->steps[m->n_calls++] : WORKS;
}

static int memory_read(LockBackend *backend)
{
        Memory *m = (Memory *)backend;

        memory_reply(m, memory_step(m) == FAILS ? LOCK_ANSWER_FAILED : LOCK_ANSWER_DOCUMENT);
        return 0;
}

static void memory_write(Memory *m, const char *text)
{
        assert_true(snprintf(m->text, sizeof(m->text), "%s", text) < (int)sizeof(m->text));
        m->revision++;
}

static int memory_swap(LockBackend *backend, const LockSwap *swap)
{
        Memory *m = (Memory *)backend;
        Step step = memory_step(m);

        m->n_swaps++;
        if (step == RACE)
                m->revision++; /* the same text again is a change, too */
        if (step == LOSES_REQUEST || step == FAILS)
                memory_reply(m, step == FAILS ? LOCK_ANSWER_FAILED : LOCK_ANSWER_UNKNOWN);
        else if (swap->revision != m->revision)
                memory_reply(m, LOCK_ANSWER_DOCUMENT);
        else {
                memory_write(m, swap->text);
                memory_reply(m, step == LOSES_ANSWER ? LOCK_ANSWER_UNKNOWN : LOCK_ANSWER_WRITTEN);
        }
        return 0;
}

static int memory_watch(LockBackend *backend, int64_t revision)
{
        Memory *m = (Memory *)backend;

        m->watching = true;
        if (revision != m->revision)
                memory_reply(m, LOCK_ANSWER_DOCUMENT);
        return 0;
}

static void memory_cancel(LockBackend *backend)
{
        Memory *m = (Memory *)backend;

        m->watching = false;
        m->later = sd_event_source_unref(m->later);
}

static const LockBackendOps memory_ops = {
        .name = "memory",
        .read = memory_read,
        .swap = memory_swap,
        .watch = memory_watch,
        .cancel = memory_cancel,
};

typedef struct Outcome {
        Memory *memory;
        LockOutcome outcome;
        bool unsure;
        int64_t old_max;
        unsigned n_waits;
} Outcome;

static void on_done(const LockResult *result, void *userdata)
{
        Outcome *outcome = userdata;

        outcome->outcome = result->outcome;
        outcome->unsure = result->unsure;
        outcome->old_max = result->old_max;
        (void)sd_event_exit(outcome->memory->event, 0);
}

/* Somebody releases the lock as soon as the operation waits for it. */
static void on_wait(const LockResult *result, void *userdata)
{
        Outcome *outcome = userdata;

        outcome->n_waits++;
        if (result->outcome == LOCK_BUSY)
                memory_write(outcome->memory, "{\"semaphore\":1,\"max\":1,\"holders\":[]}");
}

static Outcome run(Memory *m, const char *document, const Step *steps, size_t n_steps,
                   LockRequest request)
{
        LockOperation *operation;
        Outcome outcome = { .memory = m };

        *m = (Memory) { .backend = { &memory_ops }, .steps = steps, .n_steps = n_steps };
        if (document)
                memory_write(m, document);
        request.on_wait = on_wait;
        request.on_done = on_done;
        request.userdata = &outcome;

        assert_true(sd_event_new(&m->event) >= 0);
        assert_int_equal(lock_start(m->event, &m->backend, &request, &operation), 0);
        assert_true(sd_event_loop(m->event) >= 0);
        m->later = sd_event_source_unref(m->later);
        m->event = sd_event_unref(m->event);
        return outcome;
}

#define FREE_LOCK "{\"semaphore\":1,\"max\":1,\"holders\":[]}"
#define LOCK_OF_A "{\"semaphore\":0,\"max\":1,\"holders\":[\"a\"]}"
#define LOCK_OF_B "{\"semaphore\":0,\"max\":1,\"holders\":[\"b\"]}"

static const struct {
        const char *before;
        LockKind kind;
        Step steps[8];
        LockOutcome outcome;
        bool unsure;
        const char *after;
} losses[] = {
        { NULL, LOCK_KIND_TAKE, {}, LOCK_DONE, false, LOCK_OF_A },
        { FREE_LOCK, LOCK_KIND_TAKE, {}, LOCK_DONE, false, LOCK_OF_A },
        { LOCK_OF_A, LOCK_KIND_TAKE, {}, LOCK_DONE, false, LOCK_OF_A },
        { LOCK_OF_B, LOCK_KIND_TAKE, {}, LOCK_BUSY, false, LOCK_OF_B },
        { LOCK_OF_A, LOCK_KIND_RELEASE, {}, LOCK_DONE, false, FREE_LOCK },
        { LOCK_OF_B, LOCK_KIND_RELEASE, {}, LOCK_NOT_HOLDER, false, LOCK_OF_B },
        { "nonsense", LOCK_KIND_TAKE, {}, LOCK_REFUSED, false, "nonsense" },
        { FREE_LOCK,
          LOCK_KIND_TAKE,
          { WORKS, RACE, RACE, RACE, WORKS, RACE },
          LOCK_DONE,
          false,
          LOCK_OF_A },
        { FREE_LOCK, LOCK_KIND_TAKE, { WORKS, LOSES_ANSWER }, LOCK_DONE, false, LOCK_OF_A },
        { FREE_LOCK, LOCK_KIND_TAKE, { WORKS, LOSES_REQUEST }, LOCK_DONE, false, LOCK_OF_A },
        { LOCK_OF_A, LOCK_KIND_RELEASE, { WORKS, LOSES_ANSWER }, LOCK_DONE, false, FREE_LOCK },
        { LOCK_OF_A, LOCK_KIND_RELEASE, { WORKS, LOSES_REQUEST }, LOCK_DONE, false, FREE_LOCK },
        { FREE_LOCK, LOCK_KIND_TAKE, { WORKS, LOSES_ANSWER, FAILS }, LOCK_FAILED, true, LOCK_OF_A },
        { FREE_LOCK, LOCK_KIND_TAKE, { FAILS }, LOCK_FAILED, false, FREE_LOCK },
        { FREE_LOCK,
          LOCK_KIND_TAKE,
          { WORKS, LOSES_REQUEST, WORKS, LOSES_REQUEST, WORKS, LOSES_REQUEST, WORKS,
            LOSES_REQUEST },
          LOCK_FAILED,
          true,
          FREE_LOCK },
};

static void test_outcomes_are_right_whatever_gets_lost(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(losses); i++) {
                Memory memory;
                Outcome outcome =
                        run(&memory, losses[i].before, losses[i].steps, ELEMENTSOF(losses[i].steps),
                            (LockRequest) { .kind = losses[i].kind, .id = "a" });

                print_message("# row %zu\n", i);
                assert_int_equal(outcome.outcome, losses[i].outcome);
                assert_int_equal(outcome.unsure, losses[i].unsure);
                assert_string_equal(memory.text, losses[i].after);
        }
}

static void test_a_persistent_operation_waits_its_turn_and_survives_failures(_unused_ void **state)
{
        static const Step steps[] = { FAILS };
        Memory memory;
        Outcome outcome =
                run(&memory, LOCK_OF_B, steps, 1,
                    (LockRequest) { .kind = LOCK_KIND_TAKE, .id = "a", .persistent = true });

        assert_int_equal(outcome.outcome, LOCK_DONE);
        assert_int_equal(outcome.n_waits, 2);
        assert_string_equal(memory.text, LOCK_OF_A);
}

static void test_the_old_max_is_told_even_when_the_answer_was_lost(_unused_ void **state)
{
        static const Step steps[] = { WORKS, LOSES_ANSWER };
        Memory memory;
        Outcome outcome = run(&memory, LOCK_OF_B, steps, 2,
                              (LockRequest) { .kind = LOCK_KIND_SET_MAX, .max = 4 });

        assert_int_equal(outcome.outcome, LOCK_DONE);
        assert_int_equal(outcome.old_max, 1);
        assert_int_equal(memory.n_swaps, 1);
        assert_string_equal(memory.text, "{\"semaphore\":3,\"max\":4,\"holders\":[\"b\"]}");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_outcomes_are_right_whatever_gets_lost),
                cmocka_unit_test(test_a_persistent_operation_waits_its_turn_and_survives_failures),
                cmocka_unit_test(test_the_old_max_is_told_even_when_the_answer_was_lost),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
