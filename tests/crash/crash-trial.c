/*
 * A power cut at every moment of the life of a version that is ill: it is installed, booted, found not good by a
 * check, and left by a reboot. Whatever the moment: it is never marked good, the host comes back to a good version
 * and takes the next release, and it reboots for it once at most.
 */
#include "base/text.h"
#include "crash/check.h"
#include "crash/host.h"
#include "crash/peers.h"
#include "crash/scene.h"

#define STATES_MIN 1000

/* Installed, ill, and left again: three boots. Returns NULL or what went wrong. */
static char *life_record(const World *world)
{
        static const ReleaseNumber route[] = { RELEASE_INSTALLED, RELEASE_WANTED,
                                               RELEASE_INSTALLED };
        Session session = {};
        char *why = NULL;

        peers_offer(release_get(RELEASE_WANTED));
        world_materialize(world, scene_root());
        recorder_begin(scene_root(), NULL);
        scene_know(world);
        for (size_t i = 0; i < ELEMENTSOF(route) && !why; i++) {
                bool is_there = scene_boot() == release_get(route[i]);

                if (is_there)
                        host_run(scene_root(), &session);
                if (!is_there || session.ill != (route[i] == RELEASE_WANTED))
                        CHECK(text_format(&why, "boot %zu of the run is not as it should be: %s", i,
                                          session.error)
                              >= 0);
        }
        recorder_end();
        if (!why && !session.refused)
                why = strdup("the ill version is not remembered");
        return why;
}

static uint64_t life_explore(unsigned sector_size)
{
        Exploration exploration = {
                .root = scene_root(),
                .samples = scene_is_full() ? 100 : 8,
                .converge = scene_is_full() ? 50 : 211,
                .wanted = release_get(RELEASE_LATER),
        };
        _cleanup_free_ char *name = NULL, *why = NULL;
        Record *records;
        World world;
        size_t n;

        host_world(scene_root(), sector_size, &world);
        why = life_record(&world);
        records = recorder_take(&n);
        if (!why)
                explore(&world, records, n, &exploration);
        CHECK(text_format(&name,
                          "sectors of %u bytes: a power cut at every moment of an ill version",
                          sector_size)
              >= 0);
        scene_case(name, why ? why : exploration.violation);
        printf("# %zu records, %llu states checked; the real code ran on in %llu of them\n", n,
               (unsigned long long)exploration.n_states,
               (unsigned long long)exploration.n_converged);
        exploration_done(&exploration);
        records_free(records, n);
        world_done(&world);
        return exploration.n_states;
}

int main(int argc, char **argv)
{
        uint64_t n_states;
        int status;

        scene_begin(argc, argv);
        host_make_ill(scene_root(), release_get(RELEASE_WANTED));
        n_states = life_explore(512);
        n_states += life_explore(4096);
        scene_case("a thousand states at least were checked",
                   n_states >= STATES_MIN ? NULL : "fewer");
        status = scene_finish();
        scene_end();
        return status;
}
