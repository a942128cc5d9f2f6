#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/text.h"
#include "crash/check.h"
#include "crash/scenario.h"
#include "unit/unit.h"

#define SCENARIOS_MAX 8

typedef struct Snapshot {
        char *texts[SCENARIO_FILES_MAX]; /* NULL: not there */
} Snapshot;

static void snapshot_done(Snapshot *snapshot)
{
        for (size_t i = 0; i < SCENARIO_FILES_MAX; i++)
                free(snapshot->texts[i]);
        *snapshot = (Snapshot) {};
}

static void snapshot_take(const Scenario *scenario, const char *root, Snapshot *ret)
{
        *ret = (Snapshot) {};
        for (size_t i = 0; scenario->files[i]; i++) {
                int r = file_read(root, scenario->files[i], 64 * KIB, &ret->texts[i], NULL);

                CHECK(r >= 0 || r == -ENOENT);
        }
}

static bool same(const char *a, const char *b)
{
        return a && b ? streq(a, b) : a == b;
}

/* In memory, if that is possible: thousands of fsyncs are nothing to do to a disk that others use. */
static char *root_make(void)
{
        char *path = strdup(access("/dev/shm", W_OK) == 0 ? "/dev/shm/sluice-crash-XXXXXX"
                                                          : "/tmp/sluice-crash-XXXXXX");

        CHECK(path && mkdtemp(path));
        return path;
}

static void root_remove(char *root)
{
        directory_remove(root);
        free(root);
}

void scenario_put(const char *root, const char *path, const char *text)
{
        CHECK(file_replace(root, path, text, strlen(text), 0644) >= 0);
}

static unsigned leftovers(const char *root, const char *directory)
{
        _cleanup_free_ char *full = NULL;
        struct dirent *entry;
        unsigned n = 0;
        DIR *open;

        CHECK(root_join(root, directory, &full) >= 0);
        open = opendir(full);
        while (open && (entry = readdir(open)))
                n += after_prefix(entry->d_name, ".#") != NULL;
        if (open)
                (void)closedir(open);
        return n;
}

/* Each file is old or new; the next run comes to the same end; a sweep leaves nothing. */
static void aftermath_check(const Scenario *scenario, const char *root, const Snapshot *old,
                            const Snapshot *new)
{
        static const char *const directories[] = {
                "/etc/coreos",         "/var/lib/updated",
                "/run/update-engine",  "/run/systemd/system/locksmithd.service.d",
                "/run/systemd/system", NULL
        };
        _cleanup_(snapshot_done) Snapshot is = {}, end = {};

        snapshot_take(scenario, root, &is);
        for (size_t i = 0; scenario->files[i] && !scenario->varies; i++)
                assert_true(same(is.texts[i], old->texts[i]) || same(is.texts[i], new->texts[i])
                            || streq_null(scenario->journal, scenario->files[i]));

        assert_true(scenario->run(root) >= 0);
        snapshot_take(scenario, root, &end);
        for (size_t i = 0; scenario->files[i] && !scenario->varies; i++)
                assert_true(same(end.texts[i], new->texts[i]));

        assert_true(temporaries_sweep(root, directories, UINT64_C(1) << 40) >= 0);
        for (size_t i = 0; directories[i]; i++)
                assert_int_equal(leftovers(root, directories[i]), 0);
}

static void power_cut(const Scenario *scenario, const char *root, unsigned at)
{
        int status;
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (pid == 0) {
                cut_begin(CUT_POWER, at);
                (void)scenario->run(root); /* it does not come back */
                _exit(EXIT_SUCCESS);
        }
        CHECK(waitpid(pid, &status, 0) == pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == CUT_STATUS);
}

static void call_fails(const Scenario *scenario, const char *root, unsigned at, const Snapshot *new)
{
        _cleanup_(snapshot_done) Snapshot is = {};
        const char *violation;
        int r;

        cut_begin(CUT_ERROR, at);
        r = scenario->run(root);
        (void)cut_end(&violation);
        assert_null(violation);
        if (r < 0)
                return;
        snapshot_take(scenario, root, &is); /* it says that it is done */
        for (size_t i = 0; scenario->files[i] && !scenario->varies; i++)
                assert_true(same(is.texts[i], new->texts[i]));
}

static void test_the_power_goes_and_calls_fail_at_every_moment(void **state)
{
        const Scenario *scenario = *state;
        _cleanup_(snapshot_done) Snapshot old = {}, new = {};
        char *root = root_make();
        const char *violation;
        unsigned n;

        scenario->prepare(root);
        snapshot_take(scenario, root, &old);
        cut_begin(CUT_NONE, 0);
        assert_true(scenario->run(root) >= 0);
        n = cut_end(&violation);
        assert_null(violation);
        assert_true(n >= 2);
        snapshot_take(scenario, root, &new);
        root_remove(root);

        for (unsigned at = 1; at <= 2 * n; at++) {
                root = root_make();
                scenario->prepare(root);
                if (at <= n)
                        power_cut(scenario, root, at);
                else
                        call_fails(scenario, root, at - n, &new);
                aftermath_check(scenario, root, &old, &new);
                root_remove(root);
        }
        print_message("# %u calls\n", n);
}

int scenarios_run(const Scenario *scenarios, size_t n)
{
        struct CMUnitTest tests[SCENARIOS_MAX] = {};

        CHECK(n <= SCENARIOS_MAX);
        for (size_t i = 0; i < n; i++)
                tests[i] = (struct CMUnitTest) {
                        .name = scenarios[i].name,
                        .test_func = test_the_power_goes_and_calls_fail_at_every_moment,
                        .initial_state = (void *)&scenarios[i],
                };
        return _cmocka_run_group_tests("scenarios", tests, n, NULL, NULL);
}
