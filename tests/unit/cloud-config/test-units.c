#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/text.h"
#include "cloud-config/apply.h"
#include "unit/unit.h"

#define ALL_STEPS (STEP_RELOAD | STEP_RESTART_LOCKSMITHD | STEP_RESTART_ENGINE)

/* A private bus, and systemd1 on it. */
typedef struct World {
        pid_t bus, systemd;
        FILE *calls; /* what the double prints */
        char *root;
} World;

typedef struct Reports {
        unsigned n, n_problems;
} Reports;

static void on_report(_unused_ const char *action, _unused_ const char *unit, const char *problem,
                      void *userdata)
{
        Reports *reports = userdata;

        reports->n++;
        reports->n_problems += problem != NULL;
}

/* Starts a program with its standard output in a pipe. */
static pid_t program_start(const char *path, char *const argv[], FILE **ret)
{
        int pipe_fds[2];
        pid_t pid;

        assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                dup2(pipe_fds[1], STDOUT_FILENO);
                execvp(path, argv);
                _exit(127);
        }

        close(pipe_fds[1]);
        *ret = fdopen(pipe_fds[0], "r");
        assert_non_null(*ret);
        return pid;
}

static void program_stop(pid_t pid)
{
        if (pid <= 0)
                return;
        kill(pid, SIGTERM);
        waitpid(pid, NULL, 0);
}

/* The next line of the stream without its end; the caller frees it. NULL at the end. */
static char *line_read(FILE *stream)
{
        char *line = NULL;
        size_t size = 0;

        if (getline(&line, &size, stream) < 0) {
                free(line);
                return NULL;
        }
        line[strcspn(line, "\n")] = 0;
        return line;
}

/* behaviours: "UNIT=BEHAVIOUR" of at most two units, or NULL. */
static void systemd_start_two(World *world, const char *first, const char *second)
{
        _cleanup_free_ char *path = NULL, *ready = NULL;
        char *argv[] = { (char *)"systemd1", (char *)first, (char *)second, NULL };

        assert_true(text_format(&path, "%s/tests/double/systemd1", getenv("SLUICE_BUILD")) >= 0);
        world->systemd = program_start(path, argv, &world->calls);
        ready = line_read(world->calls);
        assert_string_equal(ready ? ready : "", "ready");
}

static void systemd_start(World *world, const char *behaviour)
{
        systemd_start_two(world, behaviour, NULL);
}

/* Stops the double and compares what it was asked. */
static void systemd_stop(World *world, const char *const *wanted)
{
        program_stop(world->systemd);
        for (; *wanted; wanted++) {
                _cleanup_free_ char *line = line_read(world->calls);

                assert_string_equal(line ? line : "(nothing)", *wanted);
        }
        assert_null(line_read(world->calls));
        fclose(world->calls);
        world->systemd = 0;
}

static int setup(void **state)
{
        char *argv[] = { (char *)"dbus-daemon", (char *)"--session",       (char *)"--nofork",
                         (char *)"--nopidfile", (char *)"--print-address", NULL };
        World *world = calloc(1, sizeof(World));
        _cleanup_free_ char *address = NULL;
        FILE *output;

        assert_non_null(world);
        world->root = directory_make();
        world->bus = program_start("dbus-daemon", argv, &output);
        address = line_read(output);
        assert_non_null(address);
        fclose(output);
        assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, true), 0);

        *state = world;
        return 0;
}

static int teardown(void **state)
{
        World *world = *state;

        program_stop(world->systemd);
        program_stop(world->bus);
        free(world);
        return 0;
}

static void test_steps_happen_in_order_and_their_jobs_are_awaited(void **state)
{
        static const char *const calls[] = { "Subscribe", "Reload",
                                             "RestartUnit locksmithd.service replace",
                                             "RestartUnit updated.service replace", NULL };
        Reports reports = {};
        unsigned pending;

        systemd_start(*state, "locksmithd.service=early");
        assert_int_equal(units_run(ALL_STEPS, true, on_report, &reports, &pending), 0);
        assert_int_equal(pending, 0);
        assert_int_equal(reports.n, 3);
        assert_int_equal(reports.n_problems, 0);
        systemd_stop(*state, calls);
}

static void test_a_failed_job_is_an_error_and_the_others_are_tried_all_the_same(void **state)
{
        static const char *const calls[] = { "Subscribe", "StopUnit locksmithd.service replace",
                                             "RestartUnit updated.service replace", NULL };
        Reports reports = {};
        unsigned pending;

        systemd_start(*state, "locksmithd.service=failed");
        assert_int_equal(units_run(STEP_STOP_LOCKSMITHD | STEP_RESTART_ENGINE, true, on_report,
                                   &reports, &pending),
                         -EIO);
        assert_int_equal(pending, STEP_STOP_LOCKSMITHD);
        assert_int_equal(reports.n_problems, 1);
        systemd_stop(*state, calls);
}

/* The alias of updated.service is there only where somebody enabled it, and the original engine has no other name. */
static void test_the_update_daemon_is_found_under_both_of_its_names(void **state)
{
        static const char *const calls[] = { "Subscribe", "RestartUnit updated.service replace",
                                             "RestartUnit update-engine.service replace", NULL };
        static const struct {
                const char *updated, *engine;
                unsigned n_calls, n_problems, pending;
                int r;
        } table[] = {
                { NULL, "update-engine.service=missing", 2, 0, 0, 0 },
                { NULL, NULL, 2, 0, 0, 0 },
                { "updated.service=masked", NULL, 2, 1, 0, 0 },
                { "updated.service=failed", NULL, 2, 1, STEP_RESTART_ENGINE, -EIO },
                { "updated.service=missing", NULL, 3, 0, 0, 0 },
                { "updated.service=missing", "update-engine.service=masked", 3, 1, 0, 0 },
                { "updated.service=missing", "update-engine.service=missing", 3, 1, 0, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                const char *wanted[ELEMENTSOF(calls)] = {};
                Reports reports = {};
                unsigned pending;

                memcpy(wanted, calls, table[i].n_calls * sizeof(*wanted));
                systemd_start_two(*state, table[i].updated ? table[i].updated : "",
                                  table[i].engine);
                assert_int_equal(
                        units_run(STEP_RESTART_ENGINE, true, on_report, &reports, &pending),
                        table[i].r);
                assert_int_equal(pending, table[i].pending);
                assert_int_equal(reports.n, 1);
                assert_int_equal(reports.n_problems, table[i].n_problems);
                systemd_stop(*state, wanted);
        }
}

static void test_without_waiting_a_job_that_never_ends_holds_nobody_up(void **state)
{
        static const char *const calls[] = { "Subscribe", "RestartUnit locksmithd.service replace",
                                             NULL };
        Reports reports = {};
        unsigned pending;

        systemd_start(*state, "locksmithd.service=never");
        assert_int_equal(units_run(STEP_RESTART_LOCKSMITHD, false, on_report, &reports, &pending),
                         0);
        assert_int_equal(pending, 0);
        systemd_stop(*state, calls);
}

static void test_nothing_to_do_asks_nobody(_unused_ void **state)
{
        Reports reports = {};
        unsigned pending;

        assert_int_equal(units_run(0, true, on_report, &reports, &pending), 0);
        assert_int_equal(reports.n, 0);
}

/* Plans and applies "reboot-strategy: off". Returns what the unit actions returned. */
static int off_apply(const World *world, unsigned *ret_steps)
{
        _cleanup_(settings_done) Settings settings = {};
        _cleanup_(plan_done) Plan plan = {};
        _cleanup_free_ char *why = NULL, *path = NULL;
        Reports reports = {};
        unsigned pending;
        int r;

        assert_int_equal(text_set(&settings.items[KEY_REBOOT_STRATEGY].value, "off"), 0);
        assert_int_equal(plan_make(world->root, &settings, &plan, &why), 0);
        *ret_steps = plan.steps;
        assert_int_equal(apply_files(world->root, &plan, true, &path), 0);
        r = units_run(plan.steps, true, on_report, &reports, &pending);
        if (plan.steps)
                assert_int_equal(apply_finish(world->root, &plan, pending), 0);
        return r;
}

static void test_without_a_bus_the_files_are_there_and_the_next_run_repeats_the_steps(void **state)
{
        static const char *const calls[] = { "Subscribe", "Reload",
                                             "StopUnit locksmithd.service replace", NULL };
        _cleanup_free_ char *conf = NULL;
        World *world = *state;
        unsigned steps;

        /* Nobody is called systemd1 on this bus yet. */
        assert_true(off_apply(world, &steps) < 0);
        assert_int_equal(steps, STEP_RELOAD | STEP_STOP_LOCKSMITHD);
        assert_int_equal(file_read(world->root, CONF_PATH, KIB, &conf, NULL), 0);
        assert_string_equal(conf, "REBOOT_STRATEGY=off\n");

        systemd_start(world, NULL);
        assert_int_equal(off_apply(world, &steps), 0);
        assert_int_equal(steps, STEP_RELOAD | STEP_STOP_LOCKSMITHD);
        systemd_stop(world, calls);

        assert_int_equal(off_apply(world, &steps), 0);
        assert_int_equal(steps, 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_steps_happen_in_order_and_their_jobs_are_awaited),
                cmocka_unit_test(
                        test_a_failed_job_is_an_error_and_the_others_are_tried_all_the_same),
                cmocka_unit_test(test_the_update_daemon_is_found_under_both_of_its_names),
                cmocka_unit_test(test_without_waiting_a_job_that_never_ends_holds_nobody_up),
                cmocka_unit_test(test_nothing_to_do_asks_nobody),
                cmocka_unit_test(
                        test_without_a_bus_the_files_are_there_and_the_next_run_repeats_the_steps),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
