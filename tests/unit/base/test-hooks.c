#include <sys/stat.h>

#include "base/bus.h"
#include "base/hooks.h"
#include "base/io.h"
#include "base/text.h"
#include "unit/unit.h"

#define HOOKS_HERE "/etc/sluice/post-boot.d"

typedef struct Outcome {
        char lines[1024];
        char why[1024];
        bool done, failed;
} Outcome;

static void hook_write(const char *root, const char *name, const char *script, mode_t mode)
{
        _cleanup_free_ char *path = NULL, *text = NULL;

        assert_true(text_format(&path, HOOKS_HERE "/%s", name) >= 0);
        assert_true(text_format(&text, "#!/bin/sh\n%s\n", script) >= 0);
        assert_int_equal(file_replace(root, path, text, strlen(text), mode), 0);
}

static void on_line(const char *line, void *userdata)
{
        Outcome *outcome = userdata;
        size_t n = strlen(outcome->lines);

        (void)snprintf(outcome->lines + n, sizeof(outcome->lines) - n, "%s|", line);
}

static void on_done(const char *why, void *userdata)
{
        Outcome *outcome = userdata;

        outcome->done = true;
        outcome->failed = why;
        (void)snprintf(outcome->why, sizeof(outcome->why), "%s", why ? why : "");
}

static Outcome hooks_try_with(const char *root, const char *const *prefix, usec_t time_limit)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        Outcome outcome = {};
        Hooks *hooks;

        assert_int_equal(event_new(&event), 0);
        assert_int_equal(hooks_start(event,
                                     &(HooksRequest) {
                                             .root = root,
                                             .directory = HOOKS_HERE,
                                             .environment =
                                                     (const char *const[]) {
                                                             "SLUICE_TO_VERSION=2.0.0", NULL },
                                             .prefix = prefix,
                                             .time_limit = time_limit,
                                             .on_line = on_line,
                                             .on_done = on_done,
                                             .userdata = &outcome,
                                     },
                                     &hooks),
                         0);
        while (!outcome.done)
                assert_true(sd_event_run(event, UINT64_MAX) >= 0);
        return outcome;
}

static Outcome hooks_try(const char *root, usec_t time_limit)
{
        return hooks_try_with(root, NULL, time_limit);
}

static void test_programs_run_in_the_order_of_their_names(_unused_ void **state)
{
        char *root = directory_make();
        Outcome outcome;

        hook_write(root, "20-b", "echo two $SLUICE_TO_VERSION; printf unfinished >&2", 0755);
        hook_write(root, "10-a", "echo one ${LOCKSMITHD_ETCD_PASSWORD-none}", 0755);
        hook_write(root, "15-no-program", "echo never", 0644);
        hook_write(root, ".hidden", "echo never", 0755);
        hook_write(root, "10-a~", "echo never", 0755);
        assert_int_equal(setenv("LOCKSMITHD_ETCD_PASSWORD", "secret", 1), 0);
        outcome = hooks_try(root, USEC_PER_MINUTE);
        assert_false(outcome.failed);
        assert_string_equal(outcome.lines, "10-a: one none|20-b: two 2.0.0|20-b: unfinished|");
}

static void test_a_prefix_starts_each_of_them(_unused_ void **state)
{
        static const char *const prefix[] = { "env", "MORE=more", NULL };
        char *root = directory_make();
        Outcome outcome;

        hook_write(root, "10-a", "echo a $MORE", 0755);
        hook_write(root, "20-b", "echo b $MORE", 0755);
        outcome = hooks_try_with(root, prefix, USEC_PER_MINUTE);
        assert_false(outcome.failed);
        assert_string_equal(outcome.lines, "10-a: a more|20-b: b more|");
}

static void test_no_directory_is_no_program(_unused_ void **state)
{
        char *root = directory_make();

        assert_false(hooks_try(root, USEC_PER_MINUTE).failed);
}

static void test_the_first_failure_ends_the_round(_unused_ void **state)
{
        static const struct {
                const char *script, *why;
        } table[] = {
                { "echo first; echo last; exit 7", "exit status 7: last" },
                { "kill -9 $$", "killed by signal 9" },
                { "echo waiting; sleep 600 & sleep 600", "it took longer than 0.2 s: waiting" },
                { "trap : TERM; sleep 0.4; exit 0", "it took longer than 0.2 s" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                char *root = directory_make();
                Outcome outcome;

                hook_write(root, "10-bad", table[i].script, 0755);
                hook_write(root, "20-next", "echo never", 0755);
                outcome = hooks_try(root, 200 * USEC_PER_MSEC);
                assert_true(outcome.failed);
                assert_non_null(strstr(outcome.why, HOOKS_HERE "/10-bad: "));
                assert_non_null(strstr(outcome.why, table[i].why));
                assert_null(strstr(outcome.lines, "never"));
        }
}

static void test_a_program_that_can_not_be_started_fails(_unused_ void **state)
{
        char *root = directory_make();

        assert_int_equal(file_replace(root, HOOKS_HERE "/10-x", "#!/nowhere\n", 11, 0755), 0);
        assert_non_null(strstr(hooks_try(root, USEC_PER_MINUTE).why, "No such file"));
}

static void test_too_many_programs_are_refused(_unused_ void **state)
{
        char *root = directory_make();
        TextList names = {};

        for (int i = 0; i <= HOOKS_MAX; i++) {
                char name[16];

                (void)snprintf(name, sizeof(name), "%d", i);
                hook_write(root, name, "", 0755);
        }
        assert_int_equal(hooks_list(root, HOOKS_HERE, &names), -E2BIG);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_programs_run_in_the_order_of_their_names),
                cmocka_unit_test(test_a_prefix_starts_each_of_them),
                cmocka_unit_test(test_no_directory_is_no_program),
                cmocka_unit_test(test_the_first_failure_ends_the_round),
                cmocka_unit_test(test_a_program_that_can_not_be_started_fails),
                cmocka_unit_test(test_too_many_programs_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
