/*
 * Whatever became of the state files: the daemon starts, believes nothing of it, and the update succeeds. Where it
 * can not keep its notes at all, it refuses to begin and says so.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/text.h"
#include "crash/check.h"
#include "crash/host.h"
#include "crash/peers.h"
#include "crash/scene.h"
#include "state.h"

#define STRIDE_SAMPLE 9

static World world;

static char *state_path(void)
{
        char *path;

        CHECK(text_format(&path, "%s%s", scene_root(), STATE_PATH) >= 0);
        return path;
}

/* A state of a host with a history: nothing of it may survive its damage. */
static void state_make(char **ret, size_t *ret_size)
{
        _cleanup_(state_done) State state = {};

        CHECK(text_set(&state.aleph_version, "0.9.0") >= 0);
        CHECK(text_set(&state.previous_version, "0.9.0") >= 0);
        CHECK(text_set(&state.failed_version, "0.9.5") >= 0);
        CHECK(text_set(&state.version_b, "0.9.0") >= 0);
        CHECK(state_write(scene_root(), &state) >= 0);
        CHECK(file_read(scene_root(), STATE_PATH, IO_SMALL_FILE_MAX, ret, ret_size) >= 0);
}

static bool state_is_believed(void)
{
        _cleanup_(state_done) State state = {};

        CHECK(state_read(scene_root(), &state) >= 0);
        return state.aleph_version || state.failed_version || state.version_b;
}

/* With these bytes as the state file. NULL or what is wrong. */
static char *content_violation(const char *data, size_t size)
{
        char *why = NULL;

        world_materialize(&world, scene_root());
        CHECK(file_replace(scene_root(), STATE_PATH, data, size, 0644) >= 0);
        if (state_is_believed())
                return strdup("it is believed");
        (void)host_converge(scene_root(), release_get(RELEASE_WANTED), &why);
        return why;
}

static char *truncation_violation(const char *data, size_t size, size_t step)
{
        char *why = NULL, *text = NULL;

        for (size_t n = 0; n < size && !why; n += step) {
                why = content_violation(data, n);
                if (why)
                        CHECK(text_format(&text, "%zu bytes of %zu: %s", n, size, why) >= 0);
        }
        free(why);
        return text;
}

static char *flip_violation(char *data, size_t size, size_t step)
{
        char *why = NULL, *text = NULL;

        for (size_t n = 0; n < size && !why; n += step) {
                data[n] ^= (char)(1 << n % 8);
                why = content_violation(data, size);
                data[n] ^= (char)(1 << n % 8);
                if (why)
                        CHECK(text_format(&text, "byte %zu: %s", n, why) >= 0);
        }
        free(why);
        return text;
}

/* A whole one that others may write to, or have written. */
static char *foreign_violation(const char *data, size_t size, mode_t mode, uid_t uid)
{
        _cleanup_free_ char *path = state_path();
        struct stat status;
        char *why = NULL;

        world_materialize(&world, scene_root());
        CHECK(file_replace(scene_root(), STATE_PATH, data, size, mode) >= 0);
        CHECK(chown(path, uid, (gid_t)-1) >= 0);
        if (state_is_believed())
                return strdup("it is believed");
        if (host_converge(scene_root(), release_get(RELEASE_WANTED), &why)
            && (stat(path, &status) < 0 || status.st_uid != geteuid()
                || (status.st_mode & 0777) != 0644))
                why = strdup("it is still somebody else's");
        return why;
}

/* Links that lead nowhere or elsewhere are replaced by a file, and what they lead to is not. */
static char *link_violation(const char *target)
{
        _cleanup_free_ char *path = state_path();
        struct stat status;
        char *why = NULL;

        world_materialize(&world, scene_root());
        CHECK(parents_make(path, 0755) >= 0);
        CHECK(symlink(target, path) >= 0);
        if (host_converge(scene_root(), release_get(RELEASE_WANTED), &why)
            && (lstat(path, &status) < 0 || !S_ISREG(status.st_mode)))
                why = strdup("it is still a link");
        return why;
}

/* No notes, no update: nothing is written, and it is said. */
static char *directory_violation(void)
{
        _cleanup_free_ char *path = NULL;
        Session session;

        world_materialize(&world, scene_root());
        CHECK(text_format(&path, "%s%s/x/y", scene_root(), STATE_PATH) >= 0);
        CHECK(parents_make(path, 0755) >= 0);
        CHECK(host_boot(scene_root()));
        host_run(scene_root(), &session);
        if (session.staged || !strstr(session.error, "can not be written, so no update begins"))
                return strdup(*session.error ? session.error : "it was updated");
        return NULL;
}

static void cases_run(void)
{
        size_t step = scene_is_full() ? 1 : STRIDE_SAMPLE, size;
        _cleanup_free_ char *data = NULL, *huge = calloc(1, 2 * IO_SMALL_FILE_MAX);
        static const char future[] = "STATE=2\nALEPH_VERSION=1\nCHECK=0000000000000000\n";

        CHECK(huge);
        world_materialize(&world, scene_root());
        state_make(&data, &size);
        CHECK(state_is_believed()); /* the undamaged one */
        scene_case("a state file cut off at each length", truncation_violation(data, size, step));
        scene_case("a state file with each byte flipped", flip_violation(data, size, step));
        scene_case("a state file that others may write to",
                   foreign_violation(data, size, 0666, geteuid()));
        scene_case("a state file that the group may write to",
                   foreign_violation(data, size, 0664, geteuid()));
        if (geteuid() == 0)
                scene_case("a state file of another user",
                           foreign_violation(data, size, 0644, 65534));
        scene_case("a state file from the future", content_violation(future, strlen(future)));
        memset(huge, 'A', 2 * IO_SMALL_FILE_MAX);
        scene_case("a huge state file", content_violation(huge, 2 * IO_SMALL_FILE_MAX));
        scene_case("a link into nothing for a state file", link_violation("/nonexistent/state"));
        scene_case("a link to a device for a state file", link_violation("/dev/null"));
        scene_case("a directory for a state file", directory_violation());
}

int main(int argc, char **argv)
{
        int status;

        scene_begin(argc, argv);
        peers_offer(release_get(RELEASE_WANTED));
        host_world(scene_root(), 512, &world);
        cases_run();
        world_done(&world);
        status = scene_finish();
        scene_end();
        return status;
}
