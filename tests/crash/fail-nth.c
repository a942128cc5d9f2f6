/*
 * Every call of a run fails once, in every way in which it can: the run ends well or says why it did not, the
 * media are as they have to be, also when the power goes at any moment of it, and the next run comes to its end.
 */
#include <sys/wait.h>

#include "base/text.h"
#include "crash/check.h"
#include "crash/host.h"
#include "crash/peers.h"
#include "crash/scene.h"

#define STRIDE_SAMPLE 6 /* outside of --full every so many-th call fails */

#define STRIDE_LOADERS 5

#define CALLS_TRANSFER "read pread write pwrite"
#define CALLS_SPACE    "open write pwrite fallocate fsync fdatasync rename mkdir"
#define CALLS_SYNC     "fsync fdatasync"

static const struct {
        const char *name;
        Failure failure;
        const char *calls;    /* that can fail so; NULL: all */
        const char *harmless; /* these must not be noticed at all */
        unsigned stride;
} ways[] = {
        { "EIO", { FAILURE_ERROR, -EIO, 0 }, NULL, "", STRIDE_SAMPLE },
        { "ENOSPC", { FAILURE_ERROR, -ENOSPC, 0 }, CALLS_SPACE, "", STRIDE_SAMPLE },
        { "EINTR", { FAILURE_ERROR, -EINTR, 0 }, NULL, CALLS_TRANSFER, STRIDE_SAMPLE },
        { "half of it", { FAILURE_SHORT, 0, 0 }, CALLS_TRANSFER, CALLS_TRANSFER, STRIDE_SAMPLE },
        { "EIO and lost pages", { FAILURE_LOST, -EIO, 0 }, CALLS_SYNC, "", 1 },
        { "a flipped bit", { FAILURE_FLIP, 0, 0 }, "pwrite", "", 1 },
};

static const struct {
        LoaderKind kind;
        const char *name;
} loaders[] = {
        { LOADER_GPT, "" },
        { LOADER_GRUB, "GRUB, " },
        { LOADER_SYSTEMD, "systemd-boot, " },
        { LOADER_UKI, "unified kernel images, " },
};

/* The two lives of the daemon in an update: before the reboot and after it. */
typedef struct Life {
        const char *name;
        bool second;
        World world;
        const char **calls; /* of the run in which nothing fails */
        unsigned long n_calls;
} Life;

static bool word_is_in(const char *word, const char *words)
{
        const char *found = strstr(words, word);

        while (found) {
                char after = found[strlen(word)];

                if ((found == words || found[-1] == ' ') && (after == ' ' || after == 0))
                        return true;
                found = strstr(found + 1, word);
        }
        return false;
}

/* The world as it is when the daemon starts: the boot loader may have changed it. */
static void world_booted(const Life *life, World *ret)
{
        LoaderChange change = {};

        world_materialize(&life->world, scene_root());
        CHECK(host_boot_changing(scene_root(), &change));
        world_copy(&life->world, false, ret);
        scene_disk(ret);
        loader_change_apply(&change, ret);
        loader_change_done(&change);
}

static void life_run(const Life *life, const Failure *failure, Session *ret)
{
        World booted;

        world_booted(life, &booted);
        recorder_begin(scene_root(), failure);
        scene_know(&booted);
        host_run(scene_root(), ret);
        recorder_end();
        world_done(&booted);
}

static void life_init(Life *life)
{
        Session session;

        life_run(life, NULL, &session);
        CHECK(!*session.error && (session.staged || session.good));
        life->n_calls = recorder_calls();
        life->calls = calloc(life->n_calls + 1, sizeof(char *));
        CHECK(life->calls);
        for (unsigned long n = 1; n <= life->n_calls; n++)
                life->calls[n] = recorder_call(n);
}

static void life_done(Life *life)
{
        world_done(&life->world);
        free(life->calls);
}

/* A failure that the run must not notice, and one that it must get over or tell. */
static char *session_violation(const Session *session, bool harmless, bool second)
{
        bool done = second ? session->good : session->staged;
        char *text = NULL;

        if (harmless && (!done || *session->error))
                CHECK(text_format(&text, "it was to be got over, and ended with \"%s\"",
                                  session->error)
                      >= 0);
        else if (!done && !second && strlen(session->error) < strlen("no: why"))
                CHECK(text_format(&text, "nobody was told why there is no update: \"%s\"",
                                  session->error)
                      >= 0);
        return text;
}

static char *records_violation(const World *before)
{
        Exploration exploration = { .root = scene_root(), .samples = scene_is_full() ? 6 : 1 };
        char *violation;
        Record *records;
        size_t n;

        records = recorder_take(&n);
        explore(before, records, n, &exploration);
        records_free(records, n);
        violation = TAKE_PTR(exploration.violation);
        exploration_done(&exploration);
        return violation;
}

static char *failure_violation(const Life *life, const World *booted, const Failure *failure,
                               bool harmless)
{
        Session session;
        char *why;

        life_run(life, failure, &session);
        why = session_violation(&session, harmless, life->second);
        if (!why)
                why = records_violation(booted);
        if (!why)
                (void)host_converge_restarted(scene_root(), release_get(RELEASE_WANTED), &why);
        return why;
}

/* The boot loaders differ in a few calls only: outside of --full there is less of the others than of the first. */
static unsigned long sample_stride(unsigned long stride)
{
        return scene_is_full() ? 1 : loader_kind() == LOADER_GPT ? stride : stride * STRIDE_LOADERS;
}

static char *way_violation(const Life *life, size_t way, unsigned *ret_runs)
{
        unsigned long stride = sample_stride(ways[way].stride);
        Failure failure = ways[way].failure;
        char *why = NULL, *text = NULL;
        World booted;

        world_booted(life, &booted);
        for (unsigned long n = 1 + way % stride; n <= life->n_calls && !why; n += stride) {
                const char *call = life->calls[n];

                if (ways[way].calls && !word_is_in(call, ways[way].calls))
                        continue;
                failure.at = n;
                why = failure_violation(life, &booted, &failure,
                                        word_is_in(call, ways[way].harmless));
                (*ret_runs)++;
                if (why)
                        CHECK(text_format(&text, "call %lu (%s): %s", n, call, why) >= 0);
        }
        world_done(&booted);
        free(why);
        return text;
}

/* P5: the daemon is killed, and the system runs on. Nothing is lost but what it had in mind. */
static char *kill_violation(const Life *life, unsigned long n)
{
        const Failure failure = { FAILURE_KILL, 0, n };
        World left = {};
        char *why;
        pid_t pid;
        int status;

        (void)fflush(NULL);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                Session session;

                life_run(life, &failure, &session);
                _exit(EXIT_SUCCESS);
        }
        CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));

        scene_disk(&left); /* and the boot partition; its other files are as the daemon left them */
        loader_read(scene_root(), &left);
        why = world_violation(&left, NULL);
        world_done(&left);
        if (!why)
                (void)host_converge_restarted(scene_root(), release_get(RELEASE_WANTED), &why);
        return why;
}

static void life_kill(const Life *life)
{
        unsigned long stride = sample_stride(STRIDE_SAMPLE);
        _cleanup_free_ char *name = NULL, *violation = NULL;

        for (unsigned long n = 1; n <= life->n_calls && !violation; n += stride)
                violation = kill_violation(life, n);
        CHECK(text_format(&name, "%s, the daemon is killed before a call", life->name) >= 0);
        scene_case(name, violation);
}

static void life_test(const Life *life)
{
        for (size_t i = 0; i < ELEMENTSOF(ways); i++) {
                _cleanup_free_ char *name = NULL, *violation = NULL;
                unsigned n_runs = 0;

                violation = way_violation(life, i, &n_runs);
                CHECK(text_format(&name, "%s, a call fails once: %s", life->name, ways[i].name)
                      >= 0);
                scene_case(name, violation);
                printf("# %u runs, of %lu calls each\n", n_runs, life->n_calls);
        }
        life_kill(life);
}

/* What the first life leaves is what the second one finds. */
static void second_world(World *world)
{
        Record *records;
        size_t n;

        records = recorder_take(&n);
        explore_replay(world, records, n);
        records_free(records, n);
}

static void loader_test(size_t i)
{
        _cleanup_free_ char *before_name = NULL, *after_name = NULL;
        Life before = {}, after = {};

        loader_use(loaders[i].kind);
        CHECK(text_format(&before_name, "%sbefore the reboot", loaders[i].name) >= 0);
        CHECK(text_format(&after_name, "%safter the reboot", loaders[i].name) >= 0);
        before.name = before_name;
        after.name = after_name;
        after.second = true;
        peers_offer(release_get(RELEASE_WANTED));
        host_world(scene_root(), 512, &before.world);
        life_init(&before);
        world_booted(&before, &after.world);
        second_world(&after.world);
        life_init(&after);

        life_test(&before);
        life_test(&after);
        life_done(&before);
        life_done(&after);
}

int main(int argc, char **argv)
{
        int status;

        scene_begin(argc, argv);
        for (size_t i = 0; i < ELEMENTSOF(loaders); i++)
                loader_test(i);
        status = scene_finish();
        scene_end();
        return status;
}
